"""PxAP against np.histogram, scikit-learn, given values, and its laws."""

import json
import tracemalloc

import cv2
import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score

from calm.wsol_eval import PxAP
from calm.wsol_eval.pxap import pixel_histograms


def _histogram(score_map, mask, edges):
    return [np.histogram(score_map[mask == label], bins=edges)[0].tolist() for label in (0, 1)]


@pytest.mark.parametrize("interval", [0.001, 0.01, 0.03, 0.1, 0.3, 1 / 3, 1 / 49])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_bins_equal_numpy_on_and_beside_the_edges(interval, dtype):
    edges = PxAP(interval).edges
    inside = edges[edges <= 1].astype(dtype)
    values = np.concatenate([inside, np.nextafter(inside, dtype(2)), np.nextafter(inside, dtype(-1))])
    values = np.concatenate([values, np.random.default_rng(0).random(5000).astype(dtype)])
    values = np.clip(values, 0, 1)[None]
    mask = np.random.default_rng(1).choice([0, 1, 255], values.shape)
    assert pixel_histograms(values, mask, edges, interval).tolist() == _histogram(values, mask, edges)


def test_edges():
    assert PxAP(0.25).edges.tolist() == [0, 0.25, 0.5, 0.75, 1, 2, 3]
    assert len(PxAP(0.001).edges) == 1003


def test_values_equal_the_expected_ones(expected):
    import wsol_cases

    wanted = json.loads((expected / "wsol.json").read_text())
    pooled = PxAP(0.01)
    for k in range(wsol_cases.N):
        case = wsol_cases.case(k)
        found, ignored = (
            np.any([cv2.resize(mask, (224, 224), interpolation=cv2.INTER_NEAREST) > 127 for mask in masks], axis=0)
            for masks in (case["masks"], [case["ignore"]])
        )
        mask = np.where(found, 1, np.where(ignored, 255, 0))
        assert [(mask == 1).sum(), (mask == 255).sum()] == wanted["gt_mask_counts_1_255"][k]
        alone = PxAP(0.01)
        alone.update(case["map"], mask)
        pooled.update(case["map"], mask)
        assert alone.compute()["PxAP"] == pytest.approx(wanted["mask"]["interval=0.01"]["per_image"][k], abs=1e-9)
    assert pooled.compute()["PxAP"] == pytest.approx(wanted["mask"]["interval=0.01"]["PxAP"], abs=1e-9)
    assert pooled.totals()[0].sum(dim=1).tolist() == wanted["mask"]["interval=0.01"]["pixels_true_false"][::-1]


def test_scores_on_bin_edges_give_the_exact_average_precision():
    rng = np.random.default_rng(2)
    mask = rng.choice([0, 1, 255], (50, 60))
    metric = PxAP(0.01)
    scores = metric.edges[((mask == 1) * 20 + rng.integers(0, 81, (50, 60)))]
    metric.update(scores, mask)
    counted = mask != 255
    expected = 100 * average_precision_score(mask[counted] == 1, scores[counted])
    assert metric.compute()["PxAP"] == pytest.approx(expected, abs=1e-9)


def test_a_perfect_map_has_100_and_a_constant_map_the_prevalence():
    mask = np.zeros((10, 10), int)
    mask[:2, :5] = 1
    perfect, constant = PxAP(0.01), PxAP(0.01)
    perfect.update(mask.astype(float), mask)
    constant.update(np.full((10, 10), 0.4), mask)
    assert perfect.compute()["PxAP"] == pytest.approx(100)
    assert constant.compute()["PxAP"] == pytest.approx(10)


def test_ignored_pixels_never_count():
    rng = np.random.default_rng(3)
    scores, mask = rng.random((20, 20)), rng.choice([0, 1, 255], (20, 20))
    first, second = PxAP(), PxAP()
    first.update(scores, mask)
    second.update(np.where(mask == 255, rng.random((20, 20)), scores), mask)
    assert torch.equal(first.totals()[0], second.totals()[0])
    assert first.totals()[0].sum() == (mask != 255).sum()


def test_memory_does_not_grow_with_the_number_of_maps():
    rng = np.random.default_rng(5)
    scores, mask = rng.random((224, 224)), rng.integers(0, 2, (224, 224))
    metric = PxAP()
    metric.update(scores, mask)
    tracemalloc.start()
    for _ in range(20):
        metric.update(scores, mask)
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 100_000 and peak < 4_000_000
    assert metric.totals()[0].sum() == 21 * 224 * 224


def test_no_object_pixel_is_no_number():
    metric = PxAP()
    assert np.isnan(metric.compute()["PxAP"])
    metric.update(np.zeros((3, 3)), np.zeros((3, 3)))
    assert np.isnan(metric.compute()["PxAP"])


@pytest.mark.parametrize(
    ("scores", "mask", "message"),
    [
        (np.full((2, 2), np.nan), np.zeros((2, 2)), "0, 1"),
        (np.zeros((2, 2)), np.zeros((2, 3)), "shape"),
        (np.zeros((2, 2)), np.full((2, 2), 2), "nothing else"),
    ],
)
def test_bad_input_is_refused_and_not_counted(scores, mask, message):
    metric = PxAP()
    with pytest.raises(ValueError, match=message):
        metric.update(scores, mask)
    assert metric.totals()[0].sum() == 0
