"""Maps without knowledge: what a localisation metric gives a map that never looked at the image.

A number of a real map means something as far as it differs from these on the same images: objects, and their parts,
lie near the middle of most photographs.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

SIGMA = 0.25
"""Standard deviation of the centred Gaussian, in sides of the map."""
CONSTANT, CENTRED_GAUSSIAN, UNTRAINED = "constant", "centred_gaussian", "untrained_heads"


def constant(size: int) -> np.ndarray:
    """Every pixel alike, 1; float32 [size,size]. Its average precision is the share of the pixels looked for."""
    return np.ones((size, size), dtype=np.float32)


def centred_gaussian(size: int) -> np.ndarray:
    """exp(-r^2 / 2 sigma^2) with r the distance to the middle and sigma a quarter of the side; float32 [size,size]."""
    steps = np.arange(size) - (size - 1) / 2
    along = np.exp(-(steps**2) / (2 * (SIGMA * size) ** 2))
    return np.outer(along, along).astype(np.float32)


UNINFORMED: dict[str, Callable[[int], np.ndarray]] = {CONSTANT: constant, CENTRED_GAUSSIAN: centred_gaussian}
"""Name -> (side of the map) -> score map [size,size] in (0,1]."""


def uninformed_maps(size: int) -> dict[str, np.ndarray]:
    """Name -> score map [size,size]."""
    return {name: make(size) for name, make in UNINFORMED.items()}


def stated(metrics_of: Mapping[str, Mapping[str, Any]], size: int) -> dict[str, dict[str, Any]]:
    """The ``baselines`` of a results file: the metrics of each map, with sigma in pixels where there is one."""
    parameters = {CENTRED_GAUSSIAN: {"sigma": SIGMA * size}}
    return {name: {**parameters.get(name, {}), **metrics} for name, metrics in metrics_of.items()}


def titles(size: int) -> dict[str, str]:
    """Name -> how a printed table calls it."""
    gaussian = f"centred Gaussian, sigma {SIGMA * size:g} px"
    return {CONSTANT: "constant map", CENTRED_GAUSSIAN: gaussian, UNTRAINED: "untrained heads"}
