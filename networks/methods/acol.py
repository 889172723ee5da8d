"""Adversarial complementary learning (Zhang et al., CVPR 2018): a second classifier sees what the first leaves.

A and B are two equal branches on the trunk's features. B works on the features without the cells where A's map of the
class is high.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from calm.networks.methods.min_max import min_max


def row_of(maps: Tensor, targets: Tensor) -> Tensor:
    """[B,K,h,w], [B] -> [B,h,w]: the map of each sample's own class."""
    return maps[torch.arange(len(targets), device=maps.device), targets]


def keep_mask(class_maps: Tensor, targets: Tensor, threshold: float) -> Tensor:
    """[B,1,h,w], 0 where A's map of the target, stretched to [0,1] over the image, reaches the threshold; else 1.

    A constant map erases nothing (unless the threshold is 0). No gradient.

    Args:
        class_maps: A's, [B,K,h,w].
        targets: [B] class indices.
        threshold: in [0,1].
    """
    attention = min_max(row_of(class_maps.detach(), targets))
    return (attention < threshold)[:, None].to(class_maps.dtype)


def erase(features: Tensor, class_maps: Tensor, targets: Tensor, threshold: float) -> Tensor:
    """Features [B,C,h,w] with all channels zero in the cells that ``keep_mask`` leaves out."""
    return features * keep_mask(class_maps, targets, threshold)


def merged_map(maps_a: Tensor, maps_b: Tensor, targets: Tensor) -> Tensor:
    """[B,h,w] in [0,1]: the larger of both branches' maps of the target, each stretched to [0,1] over the image."""
    return torch.maximum(min_max(row_of(maps_a, targets)), min_max(row_of(maps_b, targets)))


def acol_loss(scores_a: Tensor, scores_b: Tensor, targets: Tensor) -> Tensor:
    """Sum of both branches' cross entropies, each a mean over the batch.

    Args:
        scores_a: means of A's class maps, [B,K].
        scores_b: of B's.
        targets: [B] class indices.
    """
    return F.cross_entropy(scores_a, targets) + F.cross_entropy(scores_b, targets)
