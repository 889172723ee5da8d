"""The connected parts of all masks of a map at once.

Masks of a map are nested: mask i holds the pixels of a rank above i. So their parts form a tree, the component tree
or max-tree (P. Salembier, A. Oliveras, L. Garrido, "Antiextensive connected operators for image and sequence
processing", 1998).
From every pixel the steepest way up leads to a peak; what a mask holds of the pixels of one peak, its basin, is
connected, and two basins are connected in the masks below the highest pass (saddle) between them. A smooth map has a
few dozen peaks, and they tell the parts of its hundreds of masks without a look at the masks themselves.
"""

from typing import NamedTuple

import cv2
import numpy as np

KERNELS = {4: np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.uint8), 8: np.ones((3, 3), np.uint8)}
"""A pixel and its neighbours, by their number."""


class Parts(NamedTuple):
    """The parts of all masks, and those of them whose box is large enough."""

    number: np.ndarray
    """Of the parts in each mask, int64 [M]."""
    mask: np.ndarray
    """Of each large part, int64 [P], ascending."""
    boxes: np.ndarray
    """Around each large part, int64 [P,4]: x0 y0 x1 y1, edges included."""


def parts_of_masks(
    heights: np.ndarray, ranks: np.ndarray, masks: int, *, neighbours: int = 8, least_size: tuple[int, int] = (1, 1)
) -> Parts:
    """Find the parts of all masks, and the boxes around the large ones, in memory of 8 bytes a peak and mask.

    Args:
        heights: uint16 [H,W], never lower where the rank is higher; above 0 in the masks. Fewer ties make fewer peaks.
        ranks: uint8 [H,W] from 0 to M; a pixel is in the masks below its rank.
        masks: their number M, up to 255.
        neighbours: how many of a pixel's neighbours are connected to it, 4 or 8.
        least_size: (width, height); boxes with less are left out.
    """
    stride = ranks.shape[1] + 2  # the map gets a rim of pixels in no mask
    steps = (1, stride) if neighbours == 4 else (1, stride - 1, stride, stride + 1)
    heights, ranks = (cv2.copyMakeBorder(each, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0) for each in (heights, ranks))
    basins, number = numbered(ways_up(heights, KERNELS[neighbours]), ranks.ravel())
    reach = reaches(basins.reshape(ranks.shape)[1:-1, 1:-1], ranks[1:-1, 1:-1], number, masks)
    alone_from = join(reach, *passes(basins, number, ranks.ravel(), steps))
    is_part = (reach[:, 2] <= 0) & (np.arange(masks, dtype=np.int16) >= alone_from[:, None])
    minus_size = reach[:, :2] + reach[:, 2:]  # from the last column to the first, from the last row to the first
    large = (minus_size[:, 0] <= 1 - least_size[0]) & (minus_size[:, 1] <= 1 - least_size[1])
    mask, basin = np.nonzero((is_part & large).T)
    return Parts(is_part.sum(axis=0), mask, reach[basin, :, mask] * np.array([1, 1, -1, -1]))


def ways_up(heights: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """The peak above each pixel, int64 [H*W] of flat indices; of ties the later pixel counts as the higher.

    Args:
        heights: uint16 [H,W] with a rim of zeros; what is returned for zeros means nothing.
        kernel: the neighbourhood, for OpenCV.
    """
    places = 1 << heights.size.bit_length()
    order = heights.astype(np.float64) * places + np.arange(heights.size, dtype=np.float64).reshape(heights.shape)
    above = cv2.dilate(order, kernel).ravel().astype(np.int64) & (places - 1)  # whole numbers, far below 2^53
    while not np.array_equal(above, further := above.take(above)):
        above = further
    return above


def numbered(peaks: np.ndarray, ranks: np.ndarray) -> tuple[np.ndarray, int]:
    """Peaks as flat indices [N] -> the numbers of those in a mask, in their places; and how many, at least one."""
    chosen = np.flatnonzero((peaks == np.arange(peaks.size)) & (ranks > 0))
    numbers = np.zeros(peaks.size, np.intp)
    numbers[chosen] = np.arange(chosen.size)
    return numbers.take(peaks), max(1, chosen.size)


def reaches(basins: np.ndarray, ranks: np.ndarray, number: int, masks: int) -> np.ndarray:
    """What each mask holds of each basin: least x, least y, least -x, least -y, int [basins, 4, masks].

    Where it holds nothing, numbers above all of those.
    """
    height, width = ranks.shape
    row = masks + 1  # one place per rank, from the highest to 0, which is in no mask
    reach = np.full(number * 4 * row, max(height, width), np.min_scalar_type(-max(height, width) - 1))
    rows, columns = (np.arange(size, dtype=reach.dtype) for size in (height, width))
    rows, columns = rows.repeat(width), columns.repeat(height)
    place = basins * (4 * row) + (masks - ranks)
    by_row, by_column = place.ravel(), place.T.ravel()
    # Of several values for one place the last one stays, that of the outermost pixel.
    reach[by_column[::-1]], reach[2 * row :][by_column] = columns[::-1], -columns
    reach[row:][by_row[::-1]], reach[3 * row :][by_row] = rows[::-1], -rows
    reach = reach.reshape(number, 4, row)
    np.minimum.accumulate(reach, axis=2, out=reach)
    return reach[:, :, masks - 1 :: -1]


def passes(
    basins: np.ndarray, number: int, ranks: np.ndarray, steps: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs of basins that touch and the rank of the highest pass between them, int64 [E] each, highest first."""
    begin, end = max(steps), basins.size - max(steps)
    most = np.iinfo(ranks.dtype).max + 1
    found = []
    for step in steps:
        here = np.flatnonzero(basins[begin:end] != basins[begin + step : end + step]) + begin
        there = here + step
        one, other = np.minimum(basins[here], basins[there]), np.maximum(basins[here], basins[there])
        found.append((one * number + other) * most + np.minimum(ranks[here], ranks[there]))
    pair, rank = np.divmod(np.sort(np.concatenate(found)), most)
    highest = np.flatnonzero(np.diff(pair, append=-1))
    order = highest[np.argsort(-rank[highest], kind="stable")]
    return *np.divmod(pair[order], number), rank[order]


def join(reach: np.ndarray, one: np.ndarray, other: np.ndarray, rank: np.ndarray) -> np.ndarray:
    """Merge basins at their passes, the highest first: a part's reach is then in the place of one of its basins.

    Changes ``reach``.

    Returns:
        The first mask in which a basin still has a part of its own, int16 [basins].
    """
    leader = list(range(len(reach)))
    alone_from = np.zeros(len(reach), np.int16)

    def leader_of(basin: int) -> int:
        while leader[basin] != basin:
            leader[basin] = basin = leader[leader[basin]]
        return basin

    for a, b, height in zip(one.tolist(), other.tolist(), rank.tolist()):
        a, b = leader_of(a), leader_of(b)
        if a != b:
            leader[b], alone_from[b] = a, height
            np.minimum(reach[a, :, :height], reach[b, :, :height], out=reach[a, :, :height])
    return alone_from
