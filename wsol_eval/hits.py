"""At which thresholds a score map localises its object with a box.

A map has at most 256 grey levels and a mask changes only where a level is taken, so a thousand thresholds ask for a
few hundred masks at most. Their parts and holes, and so the boxes of all contours, come from two component trees, of
the map and of the map upside down. Contours are traced only where some box hits and the largest is not known.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import ArrayLike
from torch import Tensor

from calm.wsol_eval.boxes import as_score_map, fine_grey_map, grey_levels, grey_of, matches
from calm.wsol_eval.contours import NO_CONTOUR, hole_boxes, largest_box, may_have_holes, outer_boxes

GREYS = 256
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
        ValueError: a map with other values or dimensions, boxes of another shape, or no levels.
    """
    truth = np.asarray(boxes, dtype=np.int64)
    if truth.ndim != 2 or truth.shape[0] == 0 or truth.shape[1] != 4:
        raise ValueError(f"true boxes have shape [n,4] with n above 0, not {list(truth.shape)}")
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
    ranks = cv2.LUT(grey, np.searchsorted(levels, np.arange(GREYS)).astype(np.uint8))  # in how many masks a pixel is
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
    if may_have_holes(values):
        mask, found = hole_boxes(heights, ranks, len(levels), least_size=(width, height))
        np.logical_or.at(hits[:, MULTI], mask, matches(found, truth, ious))
    return hits[mask_of].transpose(1, 2, 0)
