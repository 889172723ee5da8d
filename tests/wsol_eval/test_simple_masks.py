"""Euler numbers, and the masks that are known to be one part without holes, against OpenCV's contours."""

import cv2
import numpy as np

from calm.wsol_eval.simple_masks import euler_numbers, extents, has_one_contour, interior_minima, peaks_in_masks
from tests.wsol_eval.test_contours import random_grey
from tests.wsol_eval.test_max_box_acc import smooth_map

LEVELS = np.arange(0, 250, 10)


def known(grey):
    """What is known of the masks above LEVELS that have a pixel, and the masks."""
    levels = LEVELS[grey.max() > LEVELS]
    ranks = np.searchsorted(levels, grey).astype(np.uint8)
    first_with_hole = ranks[interior_minima(grey)].min(initial=len(levels))
    one = has_one_contour(ranks, peaks_in_masks(grey, ranks, len(levels)), first_with_hole)
    return one, ranks, [(grey > level).astype(np.uint8) for level in levels]


def test_what_is_known_holds():
    rng, seen = np.random.default_rng(3), 0
    for _ in range(200):
        one, ranks, masks = known(random_grey(rng))
        found = [cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE) for mask in masks]
        holes = [int((hierarchy[0, :, 3] >= 0).sum()) for _, hierarchy in found]
        euler = [len(contours) - 2 * gaps for (contours, _), gaps in zip(found, holes)]
        assert euler_numbers(ranks, len(masks)).tolist() == euler
        for box, mask in zip(extents(ranks, len(masks)).tolist(), masks):
            x, y, width, height = cv2.boundingRect(mask)
            assert box == [x, y, x + width - 1, y + height - 1]
        assert all(len(contours) == 1 for (contours, _), is_one in zip(found, one) if is_one)
        seen += one.sum()
    assert seen > 20


def test_many_masks_of_smooth_maps_are_known():
    rng, share = np.random.default_rng(0), []
    for _ in range(20):
        values = smooth_map(rng, 100)
        share.append(known((values / values.max() * 255).astype(np.uint8))[0].mean())
    assert np.mean(share) > 0.3
