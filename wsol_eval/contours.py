"""Contours of the masks of a grey map, and the boxes around them.

A mask is the set of pixels strictly above a grey level. Its contours are the outer borders of its 8-connected parts
and the borders of its holes (4-connected gaps that do not reach the edge), at any depth of nesting.
"""

from collections.abc import Sequence

import cv2
import numpy as np

GREYS = 256
CROSS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.uint8)
BEFORE = np.array([[1, 1, 1], [1, 0, 0], [0, 0, 0]], np.uint8)
AFTER = np.array([[0, 0, 0], [0, 0, 1], [1, 1, 1]], np.uint8)
"""A pixel's neighbours: the four beside it, those before it row by row, those after it."""
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


def contour_bounds(values: np.ndarray, grey: np.ndarray) -> np.ndarray:
    """An upper bound on the number of contours above each level, int64 [256]; 1 where there is surely just one.

    The first of a part's highest pixels, row by row, is above its 4 neighbours before it and no lower than the 4 after;
    the first of a hole's lowest pixels lies likewise among its left, upper, right and lower neighbours. Such peaks
    above the level bound the parts, such pits at or below it the holes, and the Euler number is their difference.

    Args:
        values: the score map [H,W] that ``grey`` was rounded from; fewer of its pixels than of ``grey``'s are tied.
        grey: uint8 [H,W].
    """
    peaks = (values > cv2.dilate(values, BEFORE)) & (values >= cv2.dilate(values, AFTER))
    pits = (values < cv2.erode(values, BEFORE & CROSS)) & (values <= cv2.erode(values, AFTER & CROSS))
    inner = (slice(1, -1), slice(1, -1))  # a hole does not reach the edge
    above = histogram(grey, peaks.view(np.uint8))
    above, below = above.sum() - np.cumsum(above), np.cumsum(histogram(grey[inner], pits.view(np.uint8)[inner]))
    euler = euler_numbers(grey)
    return np.minimum(above, below + euler) + np.minimum(below, above - euler)


def euler_numbers(grey: np.ndarray) -> np.ndarray:
    """Parts minus holes above each level, exact, int64 [256].

    Counts the windows of 2x2 pixels by how many are above: one, three, or two on a diagonal (S. B. Gray, "Local
    properties of binary images in two dimensions", 1971, for 8-connected parts).
    """
    ringed = cv2.copyMakeBorder(grey, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    corners = ringed[:-1, :-1], ringed[1:, 1:], ringed[:-1, 1:], ringed[1:, :-1]
    (low, high), (other_low, other_high) = ((cv2.min(a, b), cv2.max(a, b)) for a, b in (corners[:2], corners[2:]))
    inner = cv2.max(low, other_low), cv2.min(high, other_high)
    least, second, third, most = cv2.min(low, other_low), cv2.min(*inner), cv2.max(*inner), cv2.max(high, other_high)
    diagonal = ((low > other_high) | (other_low > high)).view(np.uint8)  # the two highest face each other
    begun = histogram(third) - histogram(least) - 2 * histogram(second, diagonal)
    ended = histogram(most) - histogram(second) - 2 * histogram(third, diagonal)
    return np.cumsum(begun - ended) // 4


def histogram(grey: np.ndarray, chosen: np.ndarray | None = None) -> np.ndarray:
    """Pixels of each grey level, int64 [256], of all or of those where ``chosen`` (uint8) is not 0."""
    return cv2.calcHist([grey], [0], chosen, [GREYS], [0, GREYS]).ravel().astype(np.int64)
