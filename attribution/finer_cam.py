"""Finer-CAM (Zhang et al., CVPR 2025): a CAM of the target's score minus that of the classes most like it.

The score that a map explains becomes S_y - gamma * mean of S over n similar classes, or over the classes named. That
is CAM's own counterfactual. "Most similar" is read as in its authors' code: the classes whose scores for this image
lie nearest to the target's. The other reading, nearest rows of the classifier's weights, is a choice beside it.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from calm.attribution.layer_cam import gradcam_map, layercam_map
from calm.attribution.layer_gradients import last_layer_gradient
from calm.errors import UserError
from calm.networks.network import Network


def _nearest(distance: Tensor, targets: Tensor, number: int) -> Tensor:
    """[B,K] -> the ``number`` classes of least distance, or all there are, [B,n], the target left out."""
    classes = distance.shape[1]
    if number < 1 or classes < 2:
        raise UserError(f"`finercam_classes`={number} should be at least 1, of a network with several classes")
    distance = distance.scatter(1, targets[:, None], float("inf"))
    return distance.topk(min(number, classes - 1), dim=1, largest=False).indices


def similar_by_scores(scores: Tensor, targets: Tensor, number: int) -> Tensor:
    """[B,number]: the classes whose scores [B,K] differ least from the target's."""
    return _nearest((scores - scores.gather(1, targets[:, None])).abs(), targets, number)


def similar_by_weights(weights: Tensor, targets: Tensor, number: int) -> Tensor:
    """[B,number]: the classes whose classifier rows [K,C] have the least angle to the target's row."""
    rows = F.normalize(weights.flatten(1).double(), dim=1)  # neither autocast nor TF32 rounds doubles
    return _nearest(-rows[targets] @ rows.T, targets, number)


def class_weights(scores: Tensor, targets: Tensor, rivals: Tensor, gamma: float) -> Tensor:
    """[B,K]: 1 at the target, -gamma/n at each of its rivals [B,n]; times the scores [B,K] it is the difference."""
    weights = torch.zeros_like(scores).scatter_add(1, rivals, torch.full_like(scores, -gamma / rivals.shape[1]))
    return weights.scatter_add(1, targets[:, None], torch.ones_like(scores))


def difference_of_maps(class_maps: Tensor, weights: Tensor) -> Tensor:
    """CAM of the difference: sum_k weight_k g_k, [B,h,w], signed, from class maps [B,K,h,w]."""
    return (class_maps * weights[:, :, None, None].to(class_maps.dtype)).sum(dim=1)


GRADIENT_BASES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"gradcam": gradcam_map, "layercam": layercam_map}
BASES = ("cam", *GRADIENT_BASES)
SIMILAR_BY = ("scores", "weights")


def finercam(
    module: Network,
    images: Tensor,
    targets: Tensor,
    *,
    finercam_base: str = "gradcam",
    finercam_gamma: float = 0.6,
    finercam_classes: int = 3,
    finercam_similar: str = "scores",
    versus: int | Tensor | None = None,
) -> Tensor:
    """The base map of the difference score, [B,h,w].

    Args:
        module: network in eval mode.
        images: [B,3,H,W].
        targets: [B] class indices.
        finercam_base: "cam" (signed), "gradcam" or "layercam".
        finercam_gamma: strength of the comparison; 0 gives the base map.
        finercam_classes: number n of similar classes.
        finercam_similar: "scores" or "weights": where similarity is looked for.
        versus: the one class to compare with, an int or [B], instead of similar ones.
    """
    for name, value, known in (("base", finercam_base, BASES), ("similar", finercam_similar, SIMILAR_BY)):
        if value not in known:
            raise UserError(f"`finercam_{name}` {value!r} is unknown: choose {', '.join(known)}")
    with torch.inference_mode(False), torch.no_grad():
        targets, output = targets.clone(), module(images)
        scores = output.class_scores
        if finercam_base == "cam" and not hasattr(output, "class_maps"):
            raise UserError(
                "`finercam_base`=cam reads class maps, and `network` gives logits alone: gradcam or layercam"
            )
        if versus is not None:
            rivals = torch.as_tensor(versus, device=targets.device).clone().expand(len(targets))[:, None]
        elif finercam_similar == "scores":
            rivals = similar_by_scores(scores, targets, finercam_classes)
        elif not hasattr(module, "conv_last"):
            raise UserError("`finercam_similar`=weights reads a network's conv_last, which this one has not: scores")
        else:
            rivals = similar_by_weights(module.conv_last.weight.detach(), targets, finercam_classes)
        weights = class_weights(scores, targets, rivals, finercam_gamma)
    if finercam_base == "cam":
        return difference_of_maps(output.class_maps, weights)

    def difference_score(output, targets: Tensor) -> Tensor:
        return (output.class_scores * weights).sum(dim=1)

    layer = last_layer_gradient(module, images, targets, difference_score)
    return GRADIENT_BASES[finercam_base](*layer)
