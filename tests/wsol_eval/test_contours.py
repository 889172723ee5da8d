"""The boxes of all contours of all masks, and of the largest, against OpenCV's contours of one mask at a time."""

import cv2
import numpy as np

from calm.wsol_eval.component_tree import parts_of_masks
from calm.wsol_eval.contours import hole_boxes, largest_box, outer_boxes


def every_contour(mask):
    found = cv2.findContours(mask, cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE)[0]
    rectangles = [cv2.boundingRect(each) for each in found]
    height, width = mask.shape
    return found, [[x, y, min(x + w, width - 1), min(y + h, height - 1)] for x, y, w, h in rectangles]


def random_grey(rng):
    """Small maps of many kinds: noise, blocks, thin lines, few levels, constants."""
    shape = rng.integers(3, 30, 2)
    kind = rng.integers(5)
    if kind == 0:
        return rng.integers(0, rng.choice([2, 5, 256]), shape).astype(np.uint8)
    if kind == 1:
        return np.kron(rng.integers(0, 256, (4, 4)), np.ones(rng.integers(1, 7, 2), int)).astype(np.uint8)
    if kind == 2:
        return cv2.GaussianBlur(rng.integers(0, 256, shape).astype(np.uint8), (0, 0), 1.5)
    if kind == 3:
        drawn = (rng.random(shape) < 0.5).astype(np.uint8) * 200
        return cv2.morphologyEx(drawn, cv2.MORPH_GRADIENT, np.ones((2, 2), np.uint8))
    return np.full(shape, rng.choice([0, 7, 255]), np.uint8)


def contours_of_masks(heights, ranks, masks):
    """Mask by mask the boxes of all contours, from the component trees."""
    _, mask, boxes = outer_boxes(heights, ranks, masks)
    hole_mask, holes = hole_boxes(heights, ranks, masks)
    return [boxes[mask == index].tolist() + holes[hole_mask == index].tolist() for index in range(masks)]


def test_contours_of_all_masks_at_once():
    rng = np.random.default_rng(2)
    for _ in range(200):
        grey = random_grey(rng)
        levels = np.unique(rng.integers(0, 255, 6))
        heights = grey * np.uint16(256) + rng.integers(0, 256, grey.shape, np.uint16) * np.uint16(rng.integers(2))
        found = contours_of_masks(heights, np.searchsorted(levels, grey).astype(np.uint8), len(levels))
        for level, boxes in zip(levels, found):
            assert sorted(boxes) == sorted(every_contour((grey > level).astype(np.uint8))[1])


def test_the_largest_contour():
    rng = np.random.default_rng(1)
    for _ in range(300):
        grey, level = random_grey(rng), int(rng.integers(0, 255))
        found, expected = every_contour((grey > level).astype(np.uint8))
        first_largest = max(range(len(found)), key=lambda i: cv2.contourArea(found[i]), default=None)
        assert largest_box(grey, level).tolist() == [[0, 0, 0, 0] if not found else expected[first_largest]]


def test_small_boxes_are_left_out_but_counted():
    ranks = np.zeros((9, 9), np.uint8)
    ranks[1:4, 1:4], ranks[6, 6] = 1, 2
    parts = parts_of_masks(ranks.astype(np.uint16), ranks, 2)
    assert (parts.number.tolist(), parts.mask.tolist()) == ([2, 1], [0, 0, 1])
    assert sorted(parts.boxes.tolist()) == [[1, 1, 3, 3], [6, 6, 6, 6], [6, 6, 6, 6]]
    large = parts_of_masks(ranks.astype(np.uint16), ranks, 2, least_size=(2, 3))
    assert (large.number.tolist(), large.mask.tolist(), large.boxes.tolist()) == ([2, 1], [0], [[1, 1, 3, 3]])


def test_a_diagonal_is_one_part_for_eight_neighbours_and_many_for_four():
    ranks = np.eye(7, dtype=np.uint8)
    assert parts_of_masks(ranks.astype(np.uint16), ranks, 1).boxes.tolist() == [[0, 0, 6, 6]]
    assert len(parts_of_masks(ranks.astype(np.uint16), ranks, 1, neighbours=4).boxes) == 7


def test_no_pixel_in_any_mask_and_all_in_every_one():
    heights = np.random.default_rng(0).integers(1, 9, (5, 6), np.uint16)
    assert len(parts_of_masks(heights, np.zeros((5, 6), np.uint8), 3).mask) == 0
    assert parts_of_masks(heights, np.full((5, 6), 2, np.uint8), 2).boxes.tolist() == [[0, 0, 5, 4]] * 2
