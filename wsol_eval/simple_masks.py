"""Which masks of a map are one part without holes, told by counting: their one box needs no look at their shape.

The Euler number of a mask, its 8-connected parts less its holes, is the number of corners of its pixels, less their
edges, plus the pixels; a corner or an edge is there where any of its pixels is. Where no hole can be, or one part
alone, an Euler number of 1 says that there is one part and no hole.
"""

import cv2
import numpy as np

from calm.wsol_eval.component_tree import KERNELS


def peaks_in_masks(heights: np.ndarray, ranks: np.ndarray, masks: int) -> np.ndarray:
    """How many pixels of each mask have no higher one beside them, int64 [masks]: at least as many as its parts.

    Args:
        heights: [H,W], never lower where the rank is higher.
        ranks, masks: of ``has_one_contour`` and their number.
    """
    return in_masks(ranks[heights == cv2.dilate(heights, KERNELS[8])], masks)


def has_one_contour(ranks: np.ndarray, peaks: np.ndarray, first_with_hole: int) -> np.ndarray:
    """Whether a mask is known to be one part without holes, bool [masks]; others may be so too.

    Args:
        ranks: uint8 [H,W] from 0 to the number of masks, up to 255; a pixel is in the masks below its rank.
        peaks: of ``peaks_in_masks``.
        first_with_hole: no mask before it has a hole.
    """
    counted = (np.arange(len(peaks)) < first_with_hole) | (peaks == 1)
    if 4 * counted.sum() < len(peaks):  # not worth it
        return np.zeros(len(peaks), bool)
    return counted & (euler_numbers(ranks, len(peaks)) == 1)


def euler_numbers(ranks: np.ndarray, masks: int) -> np.ndarray:
    """Parts less holes of each mask, int64 [masks]."""
    padded = cv2.copyMakeBorder(ranks, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    across = np.maximum(padded[:, 1:], padded[:, :-1])  # of two pixels side by side
    below = np.maximum(padded[1:], padded[:-1])
    corners = np.maximum(across[1:], across[:-1])
    return (
        in_masks(corners, masks)
        - in_masks(across[1:-1], masks)
        - in_masks(below[:, 1:-1], masks)
        + in_masks(ranks, masks)
    )


def in_masks(ranks: np.ndarray, masks: int) -> np.ndarray:
    """How many of the uint8 ranks are in each mask, int64 [masks]."""
    return ranks.size - np.bincount(ranks.ravel(), minlength=masks).cumsum()[:masks]


def interior_minima(values: np.ndarray) -> np.ndarray:
    """Pixels [H,W] with no lower one beside them, those left out that lie on a flat part which reaches the edge.

    A hole of a mask holds one. Its lowest pixels are not on the edge, nor is what is as low and beside them.
    """
    lowest = (values == cv2.erode(values, KERNELS[4])).view(np.uint8)
    lowest = cv2.copyMakeBorder(lowest, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=1)
    cv2.floodFill(lowest, None, (0, 0), 0, flags=4)
    return lowest[1:-1, 1:-1] > 0


def extents(ranks: np.ndarray, masks: int) -> np.ndarray:
    """The box around all pixels of each mask, int64 [masks,4]: x0 y0 x1 y1, edges included; each has a pixel."""
    sides = [_first_and_last(ranks.max(axis=axis), masks) for axis in (0, 1)]
    (x0, x1), (y0, y1) = sides
    return np.stack([x0, y0, x1, y1], axis=1)


def _first_and_last(ranks: np.ndarray, masks: int) -> tuple[np.ndarray, np.ndarray]:
    """Of a line of ranks the first and the last index in each mask."""
    inside = ranks > np.arange(masks)[:, None]
    return inside.argmax(axis=1), ranks.size - 1 - inside[:, ::-1].argmax(axis=1)
