"""At which thresholds a score map localises its object with a box.

A map has at most 256 grey levels and a mask changes only where a level is taken, so a thousand thresholds ask for a
few hundred masks at most. Most masks of a smooth map are one part without holes, and their boxes are known by counting.
Of a few others the contours are traced. The parts and holes of many, and so the boxes of all contours, come from two
component trees, of the map and of the map upside down; then contours are traced only where some box hits and the
largest is not known.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import ArrayLike
from torch import Tensor

from calm.wsol_eval.boxes import as_score_map, fine_grey_map, grey_levels, grey_of, matches
from calm.wsol_eval.contours import (
    NO_CONTOUR,
    boxes_of,
    contour_boxes,
    contours_above,
    hole_boxes,
    largest_box,
    outer_boxes,
)
from calm.wsol_eval.simple_masks import extents, has_one_contour, interior_minima, peaks_in_masks

GREYS = 256
TRACED_MASK, TRACED = 10, 2000
"""What tracing a mask costs in units of one contour, and up to when it costs less than trees."""
SINGLE, MULTI = 0, 1


def box_hits(
    score_map: Tensor | ArrayLike, boxes: ArrayLike, thresholds: np.ndarray, ious: Sequence[int]
) -> np.ndarray:
    """Whether the map localises the object, for each way to draw boxes, IoU level and threshold.

    Args:
        score_map: [H,W] in [0,1].
        boxes: true boxes [n,4], inclusive pixels x0 y0 x1 y1 of the map.
        thresholds: [T] in [0,1).
        ious: levels in percent.

    Returns:
        bool [2, len(ious), T]: at 0 by the box of the largest contour, at 1 by the best of all contours.

    Raises:
        ValueError: a map with other values or dimensions, boxes of another shape, inverted or in fractions, or no
            levels.
    """
    truth = np.asarray(boxes, dtype=np.int64)
    if truth.ndim != 2 or truth.shape[0] == 0 or truth.shape[1] != 4:
        raise ValueError(f"true boxes have shape [n,4] with n above 0, not {list(truth.shape)}")
    if (truth != np.asarray(boxes)).any() or (truth[:, 2:] < truth[:, :2]).any():
        raise ValueError(f"true boxes are whole pixels x0 y0 x1 y1 with x1 and y1 the last ones, not {boxes}")
    if not ious:
        raise ValueError("there are no IoU levels")
    values = as_score_map(score_map)
    heights = fine_grey_map(values)
    grey = grey_of(heights)
    if not grey.any():
        return np.tile(matches(NO_CONTOUR, truth, ious)[..., None], (2, 1, len(thresholds)))
    levels = grey_levels(grey, thresholds)
    greys_up_to = np.cumsum(cv2.calcHist([grey], [0], None, [GREYS], [0, GREYS]) > 0)
    _, first, mask_of = np.unique(greys_up_to[levels], return_index=True, return_inverse=True)
    levels = levels[first]  # one per different mask, ascending
    ranks = ranks_among(grey, levels)
    hits = np.zeros((len(levels), 2, len(ious)), dtype=bool)
    first_with_hole = ranks[interior_minima(values)].min(initial=len(levels))
    peaks, around = peaks_in_masks(heights, ranks, len(levels)), extents(ranks, len(levels))
    one = has_one_contour(ranks, peaks, first_with_hole)
    hits[one] = matches(contour_boxes(around[one], grey.shape), truth, ious)[:, None]
    rest = np.flatnonzero(~one)
    if TRACED_MASK * len(rest) + peaks[rest].sum() <= TRACED:
        hits[rest] = traced_hits(grey, levels[rest], around[rest], truth, ious)
    else:
        hits[rest] = tree_hits(heights, levels[rest], truth, ious, holes=first_with_hole <= rest[-1])
    return hits[mask_of].transpose(1, 2, 0)


def ranks_among(grey: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """In how many of the masks above ascending levels each pixel is, uint8 [H,W]."""
    return cv2.LUT(grey, np.searchsorted(levels, np.arange(GREYS)).astype(np.uint8))


def traced_hits(
    grey: np.ndarray, levels: np.ndarray, around: np.ndarray, truth: np.ndarray, ious: Sequence[int]
) -> np.ndarray:
    """Hits of the masks above some levels, bool [M, 2, len(ious)]: their contours are traced one mask after the other.

    Args:
        grey: uint8 [H,W].
        levels: [M].
        around: the box of each mask, [M,4].
        truth, ious: of ``box_hits``.
    """
    boxes, mask, largest = [np.empty((0, 4), np.int64)], [], []
    for index, (level, box) in enumerate(zip(levels.tolist(), around.tolist())):
        contours = contours_above(grey, level, box)
        largest.append(len(mask) + max(range(len(contours)), key=lambda i: cv2.contourArea(contours[i])))
        mask.extend([index] * len(contours))
        boxes.append(boxes_of(contours, grey.shape))
    reached = matches(np.concatenate(boxes), truth, ious)
    hits = np.zeros((len(levels), 2, len(ious)), dtype=bool)
    np.logical_or.at(hits[:, MULTI], mask, reached)
    hits[:, SINGLE] = reached[largest]
    return hits


def tree_hits(
    heights: np.ndarray, levels: np.ndarray, truth: np.ndarray, ious: Sequence[int], *, holes: bool
) -> np.ndarray:
    """The same by the component trees of the map and, where there are ``holes``, of the map upside down.

    ``heights`` are those of ``fine_grey_map``, [H,W].
    """
    grey = grey_of(heights)
    ranks = ranks_among(grey, levels)
    hits = np.zeros((len(levels), 2, len(ious)), dtype=bool)
    sides = (truth[:, 2:] - truth[:, :2] + 1).min(axis=0)
    width, height = (-(-min(ious) * sides // 100)).tolist()  # with less, a box does not cover enough of the truth
    number, mask, found = outer_boxes(heights, ranks, len(levels), least_size=(width, height))
    reached = matches(found, truth, ious)
    np.logical_or.at(hits[:, MULTI], mask, reached)
    alone = number[mask] == 1
    hits[mask[alone], SINGLE] = reached[alone]
    unsure = np.unique(mask[reached.any(axis=1) & ~alone])
    largest = np.array([largest_box(grey, level) for level in levels[unsure].tolist()]).reshape(-1, 4)
    hits[unsure, SINGLE] = matches(largest, truth, ious)
    if holes:
        mask, found = hole_boxes(heights, ranks, len(levels), least_size=(width, height))
        np.logical_or.at(hits[:, MULTI], mask, matches(found, truth, ious))
    return hits
