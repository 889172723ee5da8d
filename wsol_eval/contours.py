"""Contours of the masks of a grey map, and the boxes around them.

A mask is the set of pixels strictly above a grey level. Its contours are the outer borders of its 8-connected parts
and the borders of its holes (4-connected gaps that do not reach the edge), at any depth of nesting.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from calm.wsol_eval.component_tree import Parts, parts_of_masks

NO_CONTOUR = np.zeros((1, 4), np.int64)
"""The box of a mask without a contour."""


def contour_boxes(boxes: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Boxes [n,4] around contours as the protocol has them: one pixel more to the right and below, within the map.

    Args:
        boxes: int64 [n,4], inclusive pixels x0 y0 x1 y1.
        shape: of the map, [H,W].
    """
    return np.minimum(boxes + np.array([0, 0, 1, 1]), [shape[1], shape[0], shape[1] - 1, shape[0] - 1])


def outer_boxes(heights: np.ndarray, ranks: np.ndarray, masks: int, *, least_size: tuple[int, int] = (1, 1)) -> Parts:
    """The boxes around the outer contours of all masks, one for each part.

    Args:
        heights: uint16 [H,W], the score map in steps finer than the levels, between 0 and 65535.
        ranks: uint8 [H,W], in how many of the masks each pixel is, from the lowest level on.
        masks: their number, up to 255.
        least_size: (width, height); boxes with less may be left out.
    """
    width, height = least_size
    parts = parts_of_masks(heights, ranks, masks, least_size=(width - 1, height - 1))
    return parts._replace(boxes=contour_boxes(parts.boxes, ranks.shape))


def hole_boxes(
    heights: np.ndarray, ranks: np.ndarray, masks: int, *, least_size: tuple[int, int] = (1, 1)
) -> tuple[np.ndarray, np.ndarray]:
    """The same for the contours of holes, which run along the pixels around them: mask [n] and box [n,4], int64."""
    width, height = least_size
    least_gap = width - 3, height - 3
    _, mask, gaps = parts_of_masks(~heights, masks - ranks, masks, neighbours=4, least_size=least_gap)
    inside = (gaps[:, :2] > 0).all(axis=1) & (gaps[:, 2:] < np.array(ranks.shape[::-1]) - 1).all(axis=1)
    return masks - 1 - mask[inside], contour_boxes(gaps[inside] + np.array([-1, -1, 1, 1]), ranks.shape)


def contours_above(grey: np.ndarray, level: int, around: Sequence[int]) -> Sequence[np.ndarray]:
    """All contours of the mask above a level, in OpenCV's order; ``around`` is the box of the mask, x0 y0 x1 y1."""
    x0, y0, x1, y1 = around
    mask = cv2.threshold(grey[y0 : y1 + 1, x0 : x1 + 1], level, 255, cv2.THRESH_BINARY)[1]
    return cv2.findContours(mask, cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE, offset=(x0, y0))[0]


def boxes_of(contours: Sequence[np.ndarray], shape: tuple[int, int]) -> np.ndarray:
    """``contour_boxes`` of contours, int64 [n,4]."""
    x, y, width, height = np.array([cv2.boundingRect(contour) for contour in contours], np.int64).T
    return contour_boxes(np.stack([x, y, x + width - 1, y + height - 1], axis=1), shape)


def largest_box(grey: np.ndarray, level: int) -> np.ndarray:
    """Box of the contour with the largest area, holes included, the first on ties; int64 [1,4], 0,0,0,0 without one.

    A contour inside another is no larger and comes after it, so the outermost ones are enough.
    """
    mask = cv2.threshold(grey, level, 255, cv2.THRESH_BINARY)[1]
    contours = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)[0]
    if not contours:
        return NO_CONTOUR
    return boxes_of([max(contours, key=cv2.contourArea)], grey.shape)
