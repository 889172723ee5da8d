"""Sums of maps over sets of classes."""

from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral
from typing import Any

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
    if not isinstance(supersets, Mapping):
        raise UserError(f"`supersets` should be {{class: [classes]}}, not a {type(supersets).__name__}")
    members = torch.zeros(maps.shape[:2])
    for row, target in zip(members, targets.tolist()):
        if target not in supersets:
            raise UserError(f"the supersets lack class {target}: give every class a superset, at least itself alone")
        classes = _classes(supersets[target])
        if not classes or not all(isinstance(k, Integral) and 0 <= k < maps.shape[1] for k in classes):
            raise UserError(f"the superset of class {target} must list classes from 0 to {maps.shape[1] - 1}")
        row[classes] = 1.0
    return members.to(maps)


def _classes(listed: Any) -> list:
    """What is listed, a tensor too; nothing where it is no list."""
    if isinstance(listed, Tensor):
        listed = listed.flatten().tolist()
    return list(listed) if isinstance(listed, Iterable) else []


def sum_over_classes(weights: Tensor, maps: Tensor) -> Tensor:
    """[B,K] weights, [B,K,h,w] maps -> [B,h,w], in the maps' own type also under autocast."""
    with torch.autocast(maps.device.type, enabled=False):
        return torch.einsum("bk,bkhw->bhw", weights, maps)
