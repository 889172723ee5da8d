"""Maps stretched to [0,1], each by itself."""

import torch
from torch import Tensor


def min_max(maps: Tensor) -> Tensor:
    """[...,h,w] -> (x - min) / (max - min) over the cells of each map; a constant map becomes zeros.

    Args:
        maps: any float values, signed. Gradients flow through the minimum and the maximum too.
    """
    low, high = maps.amin(dim=(-2, -1), keepdim=True), maps.amax(dim=(-2, -1), keepdim=True)
    span = high - low
    return (maps - low) / torch.where(span > 0, span, torch.ones_like(span))
