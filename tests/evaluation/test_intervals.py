"""Bootstrap intervals: against copies of images pooled by hand, scikit-learn's AP and the normal approximation."""

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score

from calm.evaluation.cue_location.resampled import counts_per_image, replicates_over_pairs, resample
from calm.evaluation.intervals import (
    average_precisions,
    image_weights,
    interval_of,
    means_of_images,
    means_over_pairs,
    weights_in_blocks,
)
from calm.wsol_eval.pixel_ap import PixelScores

IMAGES, SIZE = 6, 4


@pytest.fixture(scope="module")
def pixels():
    rng = np.random.default_rng(3)
    mask = rng.random((IMAGES, SIZE, SIZE)) < 0.4
    return torch.from_numpy(rng.random(mask.shape) + 0.3 * mask), torch.from_numpy(mask)


def counted(scores, mask):
    rows = list(range(len(scores)))
    return counts_per_image(scores, mask, rows, rows, PixelScores(scores, mask))


def test_a_replicate_is_the_pool_of_the_images_that_were_drawn(pixels):
    scores, mask = pixels
    weights = np.array([[1, 1, 1, 1, 1, 1], [2, 0, 0, 1, 0, 3]])
    for drawn, found in zip(weights, average_precisions(counted(scores, mask), weights), strict=True):
        rows = np.repeat(np.arange(IMAGES), drawn)
        pooled = average_precision_score(mask[rows].ravel(), scores[rows].ravel())
        assert found == pytest.approx(pooled)


def test_draws_depend_on_the_pair_and_not_on_the_scores(pixels):
    scores, mask = pixels
    one = resample(counted(scores, mask), 2, 5, 40.0)
    other = resample(counted(scores**3, mask), 2, 5, 40.0)  # the same order of the pixels
    assert np.allclose(one.pxap, other.pxap) and np.allclose(one.prevalence, other.prevalence)
    assert not np.allclose(resample(counted(scores, mask), 2, 6, 40.0).pxap, one.pxap)
    low, high = interval_of(one.pxap)
    assert low < 40 < high


def test_an_interval_over_pairs_spans_pairs_that_differ():
    rng = np.random.default_rng(0)
    pairs = [mean + rng.normal(0, 0.1, 1000) for mean in rng.normal(40, 5, 30)]
    low, high = interval_of(means_over_pairs(pairs))
    expected = np.std([pair.mean() for pair in pairs]) / np.sqrt(30)
    assert (high - low) / (2 * 1.96) == pytest.approx(expected, rel=0.15)
    assert interval_of(means_over_pairs([np.full(1000, 7.0)] * 3)) == (7.0, 7.0)
    assert interval_of(means_over_pairs([np.full(1000, np.nan)])) is None and replicates_over_pairs([]) == {}


def test_shares_of_images_have_the_width_of_a_binomial_and_are_paired():
    right = np.arange(400) % 4 > 0
    shares = means_of_images({"a": 100.0 * right, "b": 100.0 * ~right, "c": 100.0 * right})
    low, high = interval_of(shares["a"])
    assert low < 75 < high and (high - low) / (2 * 1.96) == pytest.approx(100 * np.sqrt(0.75 * 0.25 / 400), rel=0.15)
    assert np.allclose(shares["a"], 100 - shares["b"]) and interval_of(shares["a"] - shares["c"]) == (0.0, 0.0)
    partly = means_of_images({"x": np.where(right, 3.0, np.nan), "none": np.full(400, np.nan)})
    assert interval_of(partly["x"]) == (3.0, 3.0) and interval_of(partly["none"]) is None
    assert image_weights(7, 1).sum(axis=1).tolist() == [7] * 1000
    blocks = list(weights_in_blocks(7, 1, numbers=100))
    assert max(map(len, blocks)) == 14 and np.array_equal(np.concatenate(blocks), image_weights(7, 1))
    assert image_weights(0).shape == (1000, 0)
