"""At which thresholds a score map localises its object with a box.

A map has at most 256 grey levels and a mask changes only where a level is taken, so a thousand thresholds ask for a
few hundred masks at most. Masks without a box that could reach the lowest IoU level are passed over where that is
known in advance, and a mask of one contour has the box of its pixels; of the rest, those with few contours are traced,
and those with hundreds (noise) are labelled, which gives all boxes at once.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import ArrayLike
from torch import Tensor

from wsol_eval.boxes import as_score_map, can_match, grey_levels, grey_map, matches
from wsol_eval.contours import (
    NOTHING,
    as_boxes,
    contour_bounds,
    contours_above,
    extents,
    gap_boxes,
    histogram,
    index_of_largest,
    largest_box,
    part_boxes,
)

CROWDED = 600  # contours from which labelling is faster than tracing
LOOK_EVERY = 16  # traced masks between two looks at whether the rest can be left out
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
    """
    truth = np.asarray(boxes, dtype=np.int64)
    if truth.ndim != 2 or truth.shape[0] == 0 or truth.shape[1] != 4:
        raise ValueError(f"true boxes have shape [n,4] with n above 0, not {list(truth.shape)}")
    values = as_score_map(score_map)
    grey = grey_map(values)
    levels = grey_levels(grey, thresholds)
    not_above = np.cumsum(histogram(grey))
    _, first, mask_of = np.unique(not_above[levels], return_index=True, return_inverse=True)
    levels = levels[first]  # one per different mask, ascending
    within = extents(grey, levels)
    useful = can_match(within, truth, min(ious))
    bounds = contour_bounds(values, grey)[levels]
    alone, crowded = bounds == 1, bounds > CROWDED
    hits = np.zeros((len(levels), 2, len(ious)), dtype=bool)
    hits[alone] = matches(within[alone], truth, ious)[:, None]
    for chosen, count in ((useful & ~alone & ~crowded, _traced_hits), (useful & crowded, _labelled_hits)):
        if chosen.any():
            hits[chosen] = count(grey, levels[chosen], within[chosen], truth, ious)
    return hits[mask_of].transpose(1, 2, 0)


def _traced_hits(
    grey: np.ndarray, levels: np.ndarray, within: np.ndarray, truth: np.ndarray, ious: Sequence[int]
) -> np.ndarray:
    """Hits of masks with few contours, bool [len(levels), 2, len(ious)].

    Contours lie within those of lower levels, so once none covers enough of the truth, no later one does.
    """
    contours, corners, starts = [], [], []
    for index, (level, (x0, y0, x1, y1)) in enumerate(zip(levels.tolist(), within.tolist())):
        contours.append(contours_above(grey[y0 : y1 + 1, x0 : x1 + 1], level, offset=(x0, y0)))
        starts.append(len(corners))
        corners += [cv2.boundingRect(contour) for contour in contours[-1]] or [NOTHING]
        if (
            index % LOOK_EVERY == 0
            and not can_match(as_boxes(corners[starts[-1] :], grey.shape), truth, min(ious)).any()
        ):
            break
    matched = matches(as_boxes(corners, grey.shape), truth, ious)
    hits = np.zeros((len(levels), 2, len(ious)), dtype=bool)
    hits[: len(starts), MULTI] = np.logical_or.reduceat(matched, starts)
    for index in np.flatnonzero(hits[:, MULTI].any(axis=1)):
        hits[index, SINGLE] = matched[starts[index] + index_of_largest(contours[index])]
    return hits


def _labelled_hits(
    grey: np.ndarray, levels: np.ndarray, within: np.ndarray, truth: np.ndarray, ious: Sequence[int]
) -> np.ndarray:
    """The same of masks with many contours; the largest is looked for only where some contour hits.

    Parts only shrink as the level rises, and gaps as it falls; the box of a hole lies within that of the part around
    it. So holes are looked for only from the highest level with a part that covers enough of the truth downwards.
    """
    hits = np.zeros((len(levels), 2, len(ious)), dtype=bool)
    least, covered = min(ious), 0
    for index, level in enumerate(levels.tolist()):
        boxes = part_boxes(grey, level)
        boxes = boxes[can_match(boxes, truth, least)]
        if not len(boxes):
            break
        hits[index, MULTI] = matches(boxes, truth, ious).any(axis=0)
        covered = index + 1
    for index in reversed(range(covered)):
        boxes, is_hole = gap_boxes(grey, int(levels[index]))
        wide = can_match(boxes, truth, least)
        if not wide.any():
            break
        hits[index, MULTI] |= matches(boxes[wide & is_hole], truth, ious).any(axis=0)
    for index in np.flatnonzero(hits[:, MULTI].any(axis=1)):
        hits[index, SINGLE] = matches(largest_box(grey, int(levels[index])), truth, ious)[0]
    return hits
