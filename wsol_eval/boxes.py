"""Score maps as grey levels, thresholds, and how well a box covers the truth. Boxes: inclusive pixels x0 y0 x1 y1."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from torch import Tensor

_PAIRS = 1 << 18
"""Pairs of boxes compared at once, so that an image with many of them needs no more memory than one with few."""


def even_thresholds(interval: float) -> np.ndarray:
    """Thresholds 0, i, 2i ... below 1, float64 [T]."""
    if not 0 < interval <= 1:
        raise ValueError(f"interval {interval} is not in (0, 1]")
    thresholds = np.arange(0, 1, interval)
    return thresholds[thresholds < 1]


def as_score_map(score_map: Tensor | ArrayLike) -> np.ndarray:
    """The map as a NumPy array of float32 or float64.

    Raises:
        ValueError: where it is not a number in [0,1] everywhere.
    """
    if isinstance(score_map, Tensor):
        score_map = score_map.detach().cpu()
        score_map = (score_map if score_map.element_size() == 8 else score_map.float()).numpy()
    values = np.asarray(score_map)
    if values.dtype not in (np.float32, np.float64):
        values = values.astype(np.float64)
    if values.size == 0 or not (values.min() >= 0 and values.max() <= 1):  # NaN fails both comparisons
        raise ValueError("a score map needs numbers in [0, 1] everywhere")
    return values


def grey_map(score_map: Tensor | ArrayLike) -> np.ndarray:
    """Score map [H,W] in [0,1] -> uint8 [H,W], 255 times the score, truncated."""
    return grey_of(fine_grey_map(as_score_map(score_map)))


def grey_of(fine: np.ndarray) -> np.ndarray:
    """What ``fine_grey_map`` returns -> uint8 [H,W], the grey levels, its high bytes."""
    return (fine >> 8).astype(np.uint8)


def fine_grey_map(values: np.ndarray) -> np.ndarray:
    """What ``as_score_map`` returns, [H,W] -> uint16 [H,W], 256 steps to a grey level, truncated.

    Raises:
        ValueError: where it has not two dimensions.
    """
    if values.ndim != 2:
        raise ValueError(f"a score map has two dimensions, not shape {values.shape}")
    return (values * 255 * 256).astype(np.uint16)


def grey_levels(grey: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """The level int(t * max) of each threshold t; a mask is what lies strictly above. int64 [T]."""
    return (thresholds * int(grey.max())).astype(np.int64)


def areas(boxes: np.ndarray) -> np.ndarray:
    """Pixels in each box [n,4], both edges included, int64 [n]."""
    x0, y0, x1, y1 = boxes.T
    return (x1 - x0 + 1) * (y1 - y0 + 1)


def matches(boxes: np.ndarray, truth: np.ndarray, ious: Sequence[int]) -> np.ndarray:
    """Whether each box [n,4] reaches each IoU level (percent) with some true box [m,4]; bool [n, len(ious)].

    Intersection over union counts both edges of a box in; the comparison is exact, in integers.
    """
    rows = max(1, _PAIRS // len(truth))
    best = [np.empty(0, np.int64), *(_best(boxes[n : n + rows], truth) for n in range(0, len(boxes), rows))]
    return np.concatenate(best)[:, None] >= np.asarray(ious)


def _best(boxes: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Intersection over union of each box [n,4] with the true box [m,4] that it covers best, whole percents [n]."""
    shared = intersections(boxes, truth)
    return (100 * shared // (areas(boxes)[:, None] + areas(truth) - shared)).max(axis=1)


def intersections(boxes: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Pixels that each box [n,4] shares with each true box [m,4], int64 [n,m]."""
    x0, y0, x1, y1 = boxes.T[:, :, None]
    true_x0, true_y0, true_x1, true_y1 = truth.T
    width = np.minimum(x1, true_x1) - np.maximum(x0, true_x0) + 1
    height = np.minimum(y1, true_y1) - np.maximum(y0, true_y0) + 1
    return np.maximum(width, 0) * np.maximum(height, 0)
