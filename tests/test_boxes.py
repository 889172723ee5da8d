"""Grey levels, scaled boxes, overlaps and contours against slow, obvious versions."""

import cv2
import numpy as np
import pytest
import torch

from wsol_eval import boxes, contours


def _iou(first, second):
    pixels = [{(x, y) for x in range(x0, x1 + 1) for y in range(y0, y1 + 1)} for x0, y0, x1, y1 in (first, second)]
    return len(pixels[0] & pixels[1]), len(pixels[0] | pixels[1])


def _every_contour(mask):
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


def test_thresholds_are_the_multiples_below_one():
    assert boxes.even_thresholds(0.25).tolist() == [0, 0.25, 0.5, 0.75]
    assert len(boxes.even_thresholds(0.001)) == 1000 and len(boxes.even_thresholds(0.01)) == 100
    assert boxes.even_thresholds(0.3).tolist() == pytest.approx([0, 0.3, 0.6, 0.9])
    assert boxes.even_thresholds(1).tolist() == [0]
    with pytest.raises(ValueError, match="interval"):
        boxes.even_thresholds(0)


@pytest.mark.parametrize("as_type", [np.float32, np.float64, np.float16, torch.tensor])
def test_grey_map_truncates(as_type):
    values = np.array([[0, 0.25, 0.5, 1.0]])
    assert boxes.grey_map(as_type(values)).tolist() == [[0, 63, 127, 255]]


@pytest.mark.parametrize("bad", [np.nan, -1e-6, 1.00001, np.inf])
def test_grey_map_refuses_what_is_no_score(bad):
    values = np.full((3, 3), 0.5)
    values[1, 2] = bad
    with pytest.raises(ValueError, match="0, 1"):
        boxes.grey_map(values)


def test_grey_levels_follow_the_largest_grey():
    grey = np.array([[0, 200]], np.uint8)
    assert boxes.grey_levels(grey, np.array([0, 0.5, 0.999])).tolist() == [0, 100, 199]
    assert boxes.grey_levels(grey * 0, np.array([0, 0.5])).tolist() == [0, 0]


def test_scaled_boxes_are_truncated_not_rounded():
    scaled = boxes.scale_boxes([[103, 23, 203, 162], [0, 0, 250, 303]], (251, 304), (224, 224))
    assert scaled.tolist() == [[91, 16, 181, 119], [0, 0, 223, 223]]


def test_matches_equal_counted_pixels():
    rng = np.random.default_rng(0)
    first, second = (np.sort(rng.integers(0, 12, (40, 2, 2)), axis=1).reshape(40, 4) for _ in range(2))
    reached = boxes.matches(first, second, (1, 30, 50, 100))
    for box, levels in zip(first.tolist(), reached.tolist()):
        best = max(shared / union for shared, union in (_iou(box, true) for true in second.tolist()))
        assert levels == [best >= 0.01, best >= 0.3, best >= 0.5, best >= 1.0]


def test_all_contours_and_the_largest():
    rng = np.random.default_rng(1)
    for _ in range(300):
        grey, level = random_grey(rng), int(rng.integers(0, 255))
        found, expected = _every_contour((grey > level).astype(np.uint8))
        assert contours.all_boxes(grey, level).tolist() == (expected or [[0, 0, 0, 0]])
        first_largest = max(range(len(found)), key=lambda i: cv2.contourArea(found[i]), default=None)
        assert contours.largest_box(grey, level).tolist() == [[0, 0, 0, 0] if not found else expected[first_largest]]


def test_labelled_boxes_equal_those_of_traced_contours():
    rng = np.random.default_rng(2)
    for _ in range(300):
        grey, level = random_grey(rng), int(rng.integers(0, 255))
        boxes, is_hole = contours.gap_boxes(grey, level)
        found = contours.part_boxes(grey, level).tolist() + boxes[is_hole].tolist()
        assert sorted(found) == sorted(_every_contour((grey > level).astype(np.uint8))[1])


def test_contours_within_the_extent_are_all_contours():
    rng = np.random.default_rng(3)
    for _ in range(150):
        grey, levels = random_grey(rng), np.unique(rng.integers(0, 255, 6))
        for level, (x0, y0, x1, y1) in zip(levels.tolist(), contours.extents(grey, levels).tolist()):
            found = contours.contours_above(grey[y0 : y1 + 1, x0 : x1 + 1], level, offset=(x0, y0))
            everywhere = contours.contours_above(grey, level)
            assert len(found) == len(everywhere)
            assert all(np.array_equal(one, other) for one, other in zip(found, everywhere))


def test_a_box_inside_one_that_cannot_match_does_not_match():
    rng = np.random.default_rng(5)
    for _ in range(300):
        outer, truth = (np.sort(rng.integers(0, 20, (1, 2, 2)), axis=1).reshape(1, 4) for _ in range(2))
        (x0, y0, x1, y1) = outer[0].tolist()
        inner = np.array([[rng.integers(x0, x1 + 1), rng.integers(y0, y1 + 1), x1, y1]])
        if not boxes.can_match(outer, truth, 30)[0]:
            assert not boxes.can_match(inner, truth, 30)[0]
            assert not boxes.matches(inner, truth, (30,))[0, 0]


def test_extents_hold_every_box():
    grey = np.zeros((6, 8), np.uint8)
    grey[2:4, 3:5] = 9
    assert contours.extents(grey, np.array([0, 9])).tolist() == [[3, 2, 5, 4], [0, 0, 7, 5]]


def test_contour_bounds_are_never_too_low():
    rng = np.random.default_rng(4)
    for _ in range(100):
        grey = random_grey(rng)
        values = np.clip(grey + rng.random(grey.shape) * rng.integers(2) * 0.99, 0, 255) / 255
        bounds = contours.contour_bounds(values, grey)
        for level in (0, 3, 60, 128, 200, 254):
            assert bounds[level] >= len(_every_contour((grey > level).astype(np.uint8))[0])
        assert (bounds[grey.max() :] == 0).all()


def test_a_lone_blob_is_known_to_have_one_contour():
    y, x = np.mgrid[0:40, 0:50]
    values = np.exp(-((x - 20) ** 2 + (y - 18) ** 2) / 200)
    grey = (values * 255).astype(np.uint8)
    assert (contours.contour_bounds(values, grey)[: grey.max()] == 1).all()


def test_euler_numbers_equal_parts_minus_holes():
    rng = np.random.default_rng(5)
    for _ in range(60):
        grey = random_grey(rng)
        numbers = contours.euler_numbers(grey)
        for level in (0, 3, 60, 128, 200, 254, 255):
            above = (grey > level).astype(np.uint8)
            parts = cv2.connectedComponents(above, connectivity=8)[0] - 1
            gaps = cv2.connectedComponents(np.pad(1 - above, 1, constant_values=1), connectivity=4)[0] - 1
            assert numbers[level] == parts - (gaps - 1)  # one gap is the outside
