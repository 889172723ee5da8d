"""Which cells act together on a class (Taylor-CAM, ``attribution.taylor_cam``): the table that a page holds."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from calm.attribution.class_score import evaluating
from calm.attribution.taylor_cam import interactions
from calm.networks.network import Network

LITTLE = 2**32
"""Up to so many multiplications, cells squared times the weights of the class branch, the table takes seconds."""
LEVELS = 65535


class Interactions(NamedTuple):
    """Of every two cells, for one class."""

    target: int
    values: np.ndarray
    """[n,n] float32, at least 0, symmetric; cells row by row."""

    def codes(self) -> np.ndarray:
        """[n(n-1)/2] uint16, those of cells i < j row by row, as shares of the largest."""
        i, j = np.triu_indices(len(self.values), k=1)
        pairs = self.values[i, j].astype(np.float64)
        return np.round(pairs / (pairs.max(initial=0.0) or 1.0) * LEVELS).astype(np.uint16)


def takes_little(network: Network, cells: int) -> bool:
    """Whether the table of so many cells a side is made in seconds."""
    return cells**4 * network.channels * network.num_classes <= LITTLE


def interactions_of(network: Network, images: Tensor, targets: Sequence[int]) -> list[Interactions]:
    """The interactions of each image's cells for a class, by log p(y|x).

    Args:
        network: with a prior; without one the interaction of two cells does not depend on the second.
        images: [B,3,S,S], normalised.
        targets: B class indices.
    """
    with evaluating(network):
        values = interactions(network, images, torch.tensor(targets, device=images.device)).float().cpu().numpy()
    return [Interactions(target, each) for target, each in zip(targets, values, strict=True)]
