"""How well a score map [B,H,W] in [0,1] is placed on regions [B,H,W], True where the object is: a number per image.

An image without any region has no number (NaN). Loc(delta) is of Grad-CAM++ (Chattopadhyay et al., 2018, Section 4),
the proportion of energy of Score-CAM (Wang et al., 2020), the pointing game of Zhang et al. (2016).
"""

import torch
from torch import Tensor


def loc(score_maps: Tensor, regions: Tensor, delta: float) -> Tensor:
    """IoU(delta) = Area(internal) / (Area(bbox) + Area(external)), [B] in [0,1].

    The map marks the pixels strictly above ``delta``: those inside the box are internal, those outside external.
    """
    marked = score_maps > delta
    internal = (marked & regions).sum(dim=(1, 2)).double()
    external = (marked & ~regions).sum(dim=(1, 2))
    return _where_any(regions, internal / (regions.sum(dim=(1, 2)) + external).clamp_min(1))


def proportion(score_maps: Tensor, regions: Tensor) -> Tensor:
    """sum_{inside} s / (sum_{inside} s + sum_{outside} s), [B] in [0,1]; 0 for a map of zeros."""
    scores = score_maps.double()
    total = scores.sum(dim=(1, 2))
    inside = (scores * regions).sum(dim=(1, 2))
    return _where_any(regions, torch.where(total > 0, inside / total, torch.zeros_like(total)))


def pointing(score_maps: Tensor, regions: Tensor) -> Tensor:
    """1 where the highest score lies inside, else 0; [B]. The first pixel counts on ties; no margin is allowed.

    A constant map points nowhere and misses.
    """
    scores = score_maps.flatten(1)
    hit = regions.flatten(1).gather(1, scores.argmax(dim=1, keepdim=True))[:, 0]
    return _where_any(regions, (hit & (scores.amax(dim=1) > scores.amin(dim=1))).double())


def _where_any(regions: Tensor, values: Tensor) -> Tensor:
    return values.masked_fill(~regions.flatten(1).any(dim=1), float("nan"))
