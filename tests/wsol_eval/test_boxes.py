"""Grey levels and overlaps against slow, obvious versions."""

import numpy as np
import pytest
import torch

from calm.wsol_eval import boxes


def _iou(first, second):
    pixels = [{(x, y) for x in range(x0, x1 + 1) for y in range(y0, y1 + 1)} for x0, y0, x1, y1 in (first, second)]
    return len(pixels[0] & pixels[1]), len(pixels[0] | pixels[1])


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


@pytest.mark.parametrize("pairs", [1 << 18, 7 * 40, 1])
def test_matches_equal_counted_pixels(pairs, monkeypatch):
    monkeypatch.setattr(boxes, "_PAIRS", pairs)
    rng = np.random.default_rng(0)
    first, second = (np.sort(rng.integers(0, 12, (40, 2, 2)), axis=1).reshape(40, 4) for _ in range(2))
    reached = boxes.matches(first, second, (1, 30, 50, 100))
    for box, levels in zip(first.tolist(), reached.tolist()):
        best = max(shared / union for shared, union in (_iou(box, true) for true in second.tolist()))
        assert levels == [best >= 0.01, best >= 0.3, best >= 0.5, best >= 1.0]
    assert boxes.matches(first[:0], second, (30, 50)).shape == (0, 2)
