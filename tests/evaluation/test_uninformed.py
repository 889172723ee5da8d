"""Maps that never looked at an image, and their pixels counted without repeating them."""

import numpy as np
import pytest
import torch

from calm.evaluation.uninformed import centred_gaussian, constant, stated, titles
from calm.wsol_eval.pixel_ap import PixelScores, RepeatedScores, exact_curve


@pytest.mark.parametrize("size", [8, 9, 224])
def test_the_gaussian_is_centred_and_as_wide_as_said(size):
    score_map = centred_gaussian(size)
    middle = (size - 1) / 2
    for y, x in ((0, 0), (size // 2, size // 2), (1, size - 1)):
        squared = (y - middle) ** 2 + (x - middle) ** 2
        assert score_map[y, x] == pytest.approx(np.exp(-squared / (2 * (size / 4) ** 2)), rel=1e-5)
    assert np.array_equal(score_map, score_map[::-1]) and np.array_equal(score_map, score_map.T)
    assert score_map.min() > 0 and score_map.max() <= 1 and (constant(size) == 1).all()
    assert stated({"constant": {"PxAP": 1.0}, "centred_gaussian": {"PxAP": 2.0}}, size) == {
        "constant": {"PxAP": 1.0},
        "centred_gaussian": {"sigma": size / 4, "PxAP": 2.0},
    }
    assert f"sigma {size / 4:g} px" in titles(size)["centred_gaussian"]


def test_repeated_scores_equal_the_repeated_pixels():
    rng = np.random.default_rng(0)
    masks = torch.from_numpy(rng.random((5, 6, 6)) < 0.2)
    masks[:, 0] = False
    scores = torch.from_numpy(rng.choice(np.linspace(0, 1, 9), (6, 6))).float()
    once, repeated = RepeatedScores(scores, masks.sum(dim=0), 5), PixelScores(scores.expand(5, 6, 6), masks)
    assert torch.equal(once.distinct(), repeated.distinct())
    thresholds = torch.tensor([-1.0, 0.0, 0.3, 0.5, 1.0, 2.0])
    assert torch.equal(once.count(thresholds), repeated.count(thresholds))
    assert exact_curve(once).average_precision == exact_curve(repeated).average_precision
    nothing = RepeatedScores(scores, torch.zeros(6, 6, dtype=torch.int64), 0)
    assert not len(nothing.distinct()) and not nothing.count(thresholds).any()
