"""Contours of the masks of a grey map, and the boxes around them.

A mask is the set of pixels strictly above a grey level. Its contours are the outer borders of its 8-connected parts
and the borders of its holes (4-connected gaps that do not reach the edge), at any depth of nesting.
"""

from collections.abc import Sequence

import cv2
import numpy as np

GREYS = 256
NOTHING = (0, 0, 0, 0)
"""Rectangle, and box, of a mask without a contour."""


def contours_above(grey: np.ndarray, level: int, *, mode: int = cv2.RETR_TREE, offset=(0, 0)) -> Sequence[np.ndarray]:
    """OpenCV's contours of the pixels above ``level``, in its order; empty where there are none."""
    mask = cv2.threshold(grey, level, 255, cv2.THRESH_BINARY)[1]
    return cv2.findContours(mask, mode, cv2.CHAIN_APPROX_SIMPLE, offset=offset)[0]


def index_of_largest(contours: Sequence[np.ndarray]) -> int:
    """Index of the contour with the largest area, the first on ties; 0 where there is none."""
    if len(contours) < 2:
        return 0
    sizes = [cv2.contourArea(contour) for contour in contours]
    return sizes.index(max(sizes))


def as_boxes(corners: Sequence[tuple[int, int, int, int]] | np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Rectangles x y w h -> boxes x, y, x+w, y+h clipped to the last column and row of a map of ``shape`` [H,W]."""
    boxes = np.array(corners, dtype=np.int64).reshape(-1, 4)
    boxes[:, 2:] = np.minimum(boxes[:, :2] + boxes[:, 2:], [shape[1] - 1, shape[0] - 1])
    return boxes


def all_boxes(grey: np.ndarray, level: int) -> np.ndarray:
    """Boxes of all contours above ``level`` in OpenCV's order, int64 [n,4]; 0,0,0,0 where there is none."""
    return as_boxes([cv2.boundingRect(each) for each in contours_above(grey, level)] or [NOTHING], grey.shape)


def largest_box(grey: np.ndarray, level: int) -> np.ndarray:
    """Box of the contour with the largest area, holes included, the first on ties; int64 [1,4], 0,0,0,0 without one.

    A contour inside another is no larger and comes after it, so the outermost ones are enough.
    """
    contours = contours_above(grey, level, mode=cv2.RETR_EXTERNAL)
    return as_boxes([cv2.boundingRect(contours[index_of_largest(contours)]) if contours else NOTHING], grey.shape)


def extents(grey: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """The box around all pixels above each level, int64 [len(levels),4], right and bottom as those of contours.

    The whole map where no pixel is above.
    """
    height, width = grey.shape
    in_column, in_row = (grey.max(axis=axis) > levels[:, None] for axis in (0, 1))
    low = [inside.argmax(axis=1) for inside in (in_column, in_row)]
    past = [inside.shape[1] - inside[:, ::-1].argmax(axis=1) for inside in (in_column, in_row)]
    return np.stack([*low, np.minimum(past[0], width - 1), np.minimum(past[1], height - 1)], axis=1)


def part_boxes(grey: np.ndarray, level: int) -> np.ndarray:
    """Boxes of all outer contours above ``level``, int64 [n,4] in no particular order, without tracing one."""
    mask = cv2.threshold(grey, level, 255, cv2.THRESH_BINARY)[1]
    return as_boxes(cv2.connectedComponentsWithStats(mask, connectivity=8)[2][1:, :4], grey.shape)


def gap_boxes(grey: np.ndarray, level: int) -> tuple[np.ndarray, np.ndarray]:
    """Boxes around all gaps, int64 [n,4], and which gaps are holes, bool [n], without tracing a contour.

    The contour of a hole runs along the pixels around it, so its box is the hole's grown by one pixel.
    """
    gaps = cv2.threshold(grey, level, 255, cv2.THRESH_BINARY_INV)[1]
    x, y, w, h = cv2.connectedComponentsWithStats(gaps, connectivity=4)[2][1:, :4].astype(np.int64).T
    is_hole = (x > 0) & (y > 0) & (x + w < grey.shape[1]) & (y + h < grey.shape[0])
    return as_boxes(np.stack([x - 1, y - 1, w + 2, h + 2], axis=1), grey.shape), is_hole


def contour_bounds(grey: np.ndarray) -> np.ndarray:
    """An upper bound on the number of contours above each level, int64 [256].

    The first pixel of a part, row by row, has its left and its three upper neighbours at or below the level; the first
    pixel of a hole has its left and its upper neighbour above it. Counting these pixels bounds parts and holes.
    """
    height, width = grey.shape
    ringed = np.zeros((height + 1, width + 2), np.uint8)
    ringed[1:, 1:-1] = grey
    left, up = ringed[1:, :-2], ringed[:-1, 1:-1]
    before = np.maximum(np.maximum(left, up), np.maximum(ringed[:-1, :-2], ringed[:-1, 2:]))
    beside = np.minimum(left, up)
    first, hole = grey > before, grey < beside
    opened = np.bincount(before[first], minlength=GREYS) + np.bincount(grey[hole], minlength=GREYS)
    closed = np.bincount(grey[first], minlength=GREYS) + np.bincount(beside[hole], minlength=GREYS)
    return np.cumsum(opened - closed)
