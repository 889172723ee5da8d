"""Sums of maps over sets of classes."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from calm.errors import UserError


def membership(targets: Tensor, supersets: Mapping[int, Sequence[int]], maps: Tensor) -> Tensor:
    """[B,K] with 1 where class k lies in the superset of the sample's target, else 0.

    Args:
        targets: [B] class indices.
        supersets: class -> the classes of its superset, itself included.
        maps: [B,K,...], whose K, device and dtype the result follows.
    """
    members = torch.zeros(maps.shape[:2])
    for row, target in zip(members, targets.tolist()):
        if target not in supersets:
            raise UserError(f"the supersets lack class {target}: give every class a superset, at least itself alone")
        classes = list(supersets[target])
        if not classes or min(classes) < 0 or max(classes) >= maps.shape[1]:
            raise UserError(f"the superset of class {target} must list classes from 0 to {maps.shape[1] - 1}")
        row[classes] = 1.0
    return members.to(maps)


def sum_over_classes(weights: Tensor, maps: Tensor) -> Tensor:
    """[B,K] weights, [B,K,h,w] maps -> [B,h,w], in the maps' own precision also under autocast."""
    with torch.autocast(maps.device.type, enabled=False):
        return torch.einsum("bk,bkhw->bhw", weights, maps)
