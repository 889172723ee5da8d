"""Score-CAM and Ablation-CAM: channels weighed by what the class score does when they are shown alone or taken away."""

import torch
from torch import Tensor

from calm.attribution.score_map import resize
from calm.networks.methods.min_max import min_max
from calm.networks.network import Network
from calm.networks.shared_features import features_of

COPIES_PER_PASS = 32
"""Without the option ``eval_batch_size``."""


def channel_masks(features: Tensor, size: tuple[int, int]) -> Tensor:
    """[B,C,h,w] -> [B,C,H,W] in [0,1]: each channel enlarged, then stretched; a constant one becomes zeros."""
    batch, channels = features.shape[:2]
    return min_max(resize(features.flatten(0, 1), size).unflatten(0, (batch, channels)))


def weighted_sum(features: Tensor, weights: Tensor) -> Tensor:
    """relu(sum_k a_k A_k), [B,h,w], from [B,C,h,w] and [B,C]."""
    return (features * weights[:, :, None, None].to(features.dtype)).sum(dim=1).relu()


def score_weights(scores: Tensor) -> Tensor:
    """[B,C] scores of the image seen through each channel -> a softmax over the channels.

    The paper first subtracts the score of a blank image, which the softmax does not notice.
    """
    return scores.softmax(dim=1)


def ablation_weights(score: Tensor, ablated: Tensor, *, ablation_divides: bool = False) -> Tensor:
    """(S - S_k) [B,C], S_k the score without channel k; with ``ablation_divides`` over S, as the paper has it.

    A positive S leaves the normalised map as it is, but a log-probability, never positive, turns its sign.

    Args:
        score: S, [B].
        ablated: S_k, [B,C].
        ablation_divides: divide by S; 0 where S is 0.
    """
    falls = score[:, None] - ablated
    if not ablation_divides:
        return falls
    usable = score[:, None] != 0
    return torch.where(usable, falls / torch.where(usable, score[:, None], torch.ones_like(falls)), 0)


def scorecam(module: Network, images: Tensor, targets: Tensor, *, eval_batch_size: int | None = None) -> Tensor:
    """relu(sum_k a_k A_k), a = softmax of the score when only A_k's place is seen (Wang et al., 2020), [B,h,w].

    An image is looked at once per channel. The mask is stretched to [0,1] after it is enlarged, as the paper writes it.

    Args:
        module: network in eval mode.
        images: [B,3,H,W].
        targets: [B] class indices.
        eval_batch_size: channels of a pass.
    """
    with torch.no_grad():
        features = features_of(module, images)
        features = features.to(torch.promote_types(features.dtype, torch.float32))
        maps = []
        for image, feature, target in zip(images, features, targets):
            scores = []
            for some in feature.split(eval_batch_size or COPIES_PER_PASS):
                masked = image * channel_masks(some[None], image.shape[1:])[0][:, None].to(image.dtype)
                scores.append(module(masked).score_of(target.expand(len(masked))))
            maps.append(weighted_sum(feature[None], score_weights(torch.cat(scores)[None])))
        return torch.cat(maps)


def ablationcam(
    module: Network,
    images: Tensor,
    targets: Tensor,
    *,
    ablation_divides: bool = False,
    eval_batch_size: int | None = None,
) -> Tensor:
    """relu(sum_k a_k A_k), a_k the fall of the score when channel k is zero (Desai and Ramaswamy, 2020), [B,h,w].

    Args:
        module: network in eval mode.
        images: [B,3,H,W].
        targets: [B] class indices.
        ablation_divides: see ``ablation_weights``.
        eval_batch_size: channels of a pass.
    """
    with torch.no_grad():
        features = features_of(module, images)
        features = features.to(torch.promote_types(features.dtype, torch.float32))
        weights = []
        for image, feature, target in zip(images, features, targets):
            channels = torch.eye(len(feature), device=feature.device, dtype=feature.dtype)
            ablated = []
            for some in channels.split(eval_batch_size or COPIES_PER_PASS):
                copies = feature * (1 - some)[:, :, None, None]
                seen = image.expand(len(copies), -1, -1, -1)
                ablated.append(module.read_out(copies, images=seen).score_of(target.expand(len(copies))))
            score = module.read_out(feature[None], images=image[None]).score_of(target[None])
            weights.append(ablation_weights(score, torch.cat(ablated)[None], ablation_divides=ablation_divides))
        return weighted_sum(features, torch.cat(weights))
