"""LFI-CAM (Lee, Park, Oh and Kwak, ICCV 2021): the network weighs its own feature maps and attends to their sum."""

import torch
import torch.nn.functional as F
from torch import Tensor


def scaled_channels(features: Tensor) -> Tensor:
    """Each channel of [B,C,h,w] stretched to [0,1] over the cells; a constant one is 1 where it is not 0."""
    low, high = features.amin(dim=(2, 3), keepdim=True), features.amax(dim=(2, 3), keepdim=True)
    span = high - low
    scaled = (features - low) / torch.where(span > 0, span, torch.ones_like(span))
    return torch.where(span > 0, scaled, (high != 0).to(features.dtype))


def masked_greys(features: Tensor, images: Tensor) -> Tensor:
    """[B,C,h,w]: the grey image, resized to the grid, seen through each scaled channel.

    Args:
        features: [B,C,h,w].
        images: normalised, [B,3,H,W]; grey is the mean of the three.
    """
    grey = F.interpolate(images.mean(dim=1, keepdim=True), features.shape[2:], mode="bilinear", align_corners=False)
    return scaled_channels(features) * grey.to(features.dtype)


def importances(responses: Tensor) -> Tensor:
    """[B,C,h,w] responses to the masked greys -> [B,C], a softmax over the channels of their means."""
    return responses.mean(dim=(2, 3)).softmax(dim=1)


def attention_map(features: Tensor, weights: Tensor) -> Tensor:
    """[B,h,w] in [0,1], the same for every class: relu(sum_k w_k E_k) stretched; a constant one is left as it is.

    Args:
        features: E, [B,C,h,w], not scaled.
        weights: w, [B,C].
    """
    maps = torch.einsum("bchw,bc->bhw", features, weights).relu()
    low, high = maps.amin(dim=(1, 2), keepdim=True), maps.amax(dim=(1, 2), keepdim=True)
    span = high - low
    return torch.where(span > 0, (maps - low) / torch.where(span > 0, span, torch.ones_like(span)), maps)


def attended(features: Tensor, maps: Tensor) -> Tensor:
    """E + map * E, [B,C,h,w]."""
    return features + maps[:, None] * features
