"""MaxBoxAcc against contours at every threshold, against given counts, and its laws."""

import json

import cv2
import numpy as np
import pytest
import torch

from calm.data_loaders.truth import scale_boxes
from calm.wsol_eval import MaxBoxAcc, hits
from calm.wsol_eval.boxes import even_thresholds, fine_grey_map, grey_levels, grey_map
from calm.wsol_eval.contours import largest_box
from calm.wsol_eval.hits import box_hits
from calm.wsol_eval.max_box_acc import TopLoc
from tests.wsol_eval.test_contours import contours_of_masks

IOUS = (30, 50, 70)


def plain_hits(score_map, truth, thresholds, ious):
    """One threshold after the other, one contour after the other, as the benchmark's text has it."""
    grey = (score_map * 255).astype(np.uint8)
    height, width = grey.shape
    found = np.zeros((2, len(ious), len(thresholds)), dtype=bool)
    for t, threshold in enumerate(thresholds):
        mask = (grey > int(threshold * grey.max())).astype(np.uint8)
        contours = cv2.findContours(mask, cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE)[0]
        drawn = {0: [max(contours, key=cv2.contourArea)] if contours else [], 1: contours}
        for kind, chosen in drawn.items():
            best = 0.0
            for x, y, w, h in [cv2.boundingRect(each) for each in chosen] or [(0, 0, 0, 0)]:
                x1, y1 = min(x + w, width - 1), min(y + h, height - 1)
                for tx0, ty0, tx1, ty1 in truth:
                    shared = max(0, min(x1, tx1) - max(x, tx0) + 1) * max(0, min(y1, ty1) - max(y, ty0) + 1)
                    union = (x1 - x + 1) * (y1 - y + 1) + (tx1 - tx0 + 1) * (ty1 - ty0 + 1) - shared
                    best = max(best, shared / union)
            found[kind, :, t] = [best >= iou / 100 for iou in ious]
    return found


def smooth_map(rng, size):
    """A ring and a few wide hills, cut off below at times."""
    y, x = np.mgrid[0:size, 0:size] / size
    far = [np.hypot(x - cx, y - cy) for cx, cy in rng.uniform(0.2, 0.8, (4, 2))]
    hills = sum(np.exp(-((each / width) ** 2)) for each, width in zip(far, rng.uniform(0.05, 0.3, 4)))
    return np.maximum(hills + np.exp(-(((far[0] - 0.3) / 0.1) ** 2)) * rng.integers(2) - rng.choice([0, 0.3]), 0)


def random_map(rng, size):
    """Noise of several grains and level counts, blobs, plateaus, lines, hills."""
    kind = rng.integers(7)
    values = rng.random((size, size))
    if kind == 1:
        values = np.kron(rng.random((size // 4, size // 4)), np.ones((4, 4)))
    elif kind == 2:
        values = cv2.GaussianBlur(values, (0, 0), rng.uniform(1, 5))
    elif kind == 3:
        values = np.floor(values * 4) / 4
    elif kind == 4:
        y, x = np.mgrid[0:size, 0:size] / size
        values = np.minimum(np.exp(-((x - 0.4) ** 2 + (y - 0.6) ** 2) * 20), 0.6) + 0.1 * np.cos(25 * x)
    elif kind == 5:
        values = (values > 0.97) * rng.choice([1.0, 0.3])
    elif kind == 6:
        values = smooth_map(rng, size)
    low, high = values.min(), values.max()
    return (values - low) / (high - low) if high > low and rng.random() < 0.8 else np.clip(values, 0, 1)


def random_boxes(rng, size):
    """One to three boxes, tiny and whole-map ones among them."""
    corners = np.sort(rng.integers(0, size, (rng.integers(1, 4), 2, 2)), axis=1).reshape(-1, 4)
    if rng.random() < 0.2:
        corners[0] = [0, 0, size - 1, size - 1]
    return corners


@pytest.mark.parametrize("traced", [0, hits.TRACED, 10**9], ids=["by trees", "as is quicker", "by tracing"])
@pytest.mark.parametrize("seed", range(3))
def test_hits_equal_the_plain_version(seed, traced, monkeypatch):
    monkeypatch.setattr(hits, "TRACED", traced)
    rng = np.random.default_rng(seed)
    thresholds = even_thresholds(0.07)
    for _ in range(60):
        size = int(rng.choice([12, 32, 64]))
        score_map, truth = random_map(rng, size)[: rng.integers(1, size + 1)], random_boxes(rng, size)
        ious = (10, 30, 50, 70, 95) if rng.random() < 0.5 else IOUS
        found = box_hits(score_map, truth, thresholds, ious)
        np.testing.assert_array_equal(found, plain_hits(score_map, truth, thresholds, ious))


def test_all_grey_levels_at_a_thousand_thresholds():
    rng = np.random.default_rng(7)
    score_map = cv2.resize(rng.random((9, 9)), (100, 100), interpolation=cv2.INTER_CUBIC)
    score_map = (score_map - score_map.min()) / (score_map.max() - score_map.min())
    assert len(np.unique((score_map * 255).astype(np.uint8))) == 256
    truth, thresholds = random_boxes(rng, 100), even_thresholds(0.001)
    np.testing.assert_array_equal(
        box_hits(score_map, truth, thresholds, IOUS), plain_hits(score_map, truth, thresholds, IOUS)
    )


def test_a_map_with_more_pixels_than_float32_counts():
    score_map = np.zeros((4098, 4101), np.float32)
    score_map[10, 10:12] = 1, 0.5
    found = box_hits(score_map, [[10, 10, 11, 11]], even_thresholds(0.1), (100,))
    assert found[0, 0].tolist() == [False] * 5 + [True] * 5


def test_noise_of_full_size_equals_the_plain_version():
    rng = np.random.default_rng(5)
    score_map, truth = rng.random((224, 224)), [[0, 0, 223, 223], [100, 100, 104, 104], [30, 40, 150, 170]]
    thresholds = np.array([0.02, 0.4, 0.6, 0.8, 0.99])
    np.testing.assert_array_equal(
        box_hits(score_map, truth, thresholds, (5, 30, 50)), plain_hits(score_map, truth, thresholds, (5, 30, 50))
    )


def test_counts_equal_the_expected_ones(expected):
    import wsol_cases

    metric = MaxBoxAcc(0.01, IOUS)
    wanted = json.loads((expected / "wsol.json").read_text())
    for k in range(wsol_cases.N):
        case = wsol_cases.case(k)
        truth = scale_boxes(case["boxes"], case["size"], (224, 224))
        assert truth.tolist() == wanted["resized_boxes"][k]
        metric.update(case["map"], truth)
    single, multi = (wanted["box"][f"interval=0.01,multi_contour={flag}"] for flag in (False, True))
    assert metric.counts() == {"single": single["num_correct"], "multi": multi["num_correct"]}
    values = metric.compute()
    assert values["MaxBoxAcc"] == pytest.approx(single["MaxBoxAcc(iou50)"], abs=1e-9)
    assert values["MaxBoxAccV2"] == pytest.approx(multi["MaxBoxAccV2(mean)"], abs=1e-9)
    assert [values[f"MaxBoxAcc_{iou}"] for iou in IOUS] == pytest.approx(multi["max_box_acc_30_50_70"], abs=1e-9)


def test_boxes_equal_the_expected_ones(expected):
    import wsol_cases

    wanted = json.loads((expected / "wsol.json").read_text())["boxes_at_thresholds_0_.2_.5_.8_.95"]
    compared = 0
    for k in range(wsol_cases.N):
        score_map = wsol_cases.case(k)["map"]
        grey = grey_map(score_map)
        levels = grey_levels(grey, np.array([0, 0.2, 0.5, 0.8, 0.95]))
        if wanted["False"][k] is not None:
            assert [largest_box(grey, int(level)).tolist() for level in levels] == wanted["False"][k]
            compared += 1
        if wanted["True"][k] is not None and grey.any():
            found = contours_of_masks(
                fine_grey_map(score_map), (grey[..., None] > levels).sum(axis=-1, dtype=np.uint8), len(levels)
            )
            assert [sorted(each) for each in found] == [sorted(each) for each in wanted["True"][k]]
            compared += 1
    assert compared >= 2 * wsol_cases.N - 5


def test_a_drawn_square_is_found_at_every_threshold():
    score_map = np.zeros((40, 40))
    score_map[10:20, 5:25] = 1
    metric = MaxBoxAcc(0.1, IOUS)
    metric.update(score_map, [[5, 10, 25, 20]])
    metric.update(np.zeros((40, 40)), [[5, 10, 25, 20]])
    assert metric.counts()["single"]["70"] == [1] * 10
    expected = {
        "MaxBoxAcc": 50.0,
        "MaxBoxAccV2": 50.0,
        "MaxBoxAcc_30": 50.0,
        "MaxBoxAcc_50": 50.0,
        "MaxBoxAcc_70": 50.0,
    }
    assert metric.compute() == expected


def test_a_map_without_contour_has_the_box_of_the_corner_pixel():
    metric = MaxBoxAcc(0.5, (50,))
    metric.update(np.zeros((8, 8)), [[0, 0, 0, 0]])
    assert metric.counts() == {"single": {"50": [1, 1]}, "multi": {"50": [1, 1]}}


def test_a_better_small_contour_counts_only_among_all():
    score_map = np.zeros((60, 60))
    score_map[2:30, 2:30] = 1
    score_map[40:50, 40:50] = 1
    metric = MaxBoxAcc(0.5, (50,))
    metric.update(score_map, [[40, 40, 50, 50]])
    assert metric.counts() == {"single": {"50": [0, 0]}, "multi": {"50": [1, 1]}}


def test_tensors_and_arrays_count_alike():
    rng = np.random.default_rng(6)
    arrays, tensors = MaxBoxAcc(0.05, IOUS), MaxBoxAcc(0.05, IOUS)
    for _ in range(4):
        score_map, truth = random_map(rng, 32).astype(np.float32), random_boxes(rng, 32)
        arrays.update(score_map, truth)
        tensors.update(torch.from_numpy(score_map), torch.from_numpy(truth))
    assert arrays.counts() == tensors.counts()


def test_top_localisation_has_its_own_best_threshold():
    metric = TopLoc(0.5)
    for found, rank in (([True, False], 0), ([True, True], 3), ([False, True], 4), ([True, True], 5)):
        metric.update(np.array(found), rank)
    assert metric.compute() == {"Top1Loc": 25.0, "Top5Loc": 50.0}


@pytest.mark.parametrize(
    ("score_map", "truth", "message"),
    [
        (np.full((4, 4), np.nan), [[0, 0, 1, 1]], "0, 1"),
        (np.zeros((1, 4, 4)), [[0, 0, 1, 1]], "two dimensions"),
        (np.zeros((4, 4)), np.zeros((0, 4)), "above 0"),
        (np.zeros((4, 4)), [0, 0, 1, 1], "shape"),
        (np.eye(4), [[2, 2, 1, 1]], "whole pixels x0 y0 x1 y1"),  # x, y, width, height
        (np.eye(4), [[0, 0, 1.5, 1]], "whole pixels"),
    ],
)
def test_bad_input_is_refused_and_not_counted(score_map, truth, message):
    metric = MaxBoxAcc(0.5, IOUS)
    with pytest.raises(ValueError, match=message):
        metric.update(score_map, truth)
    assert metric.totals()[0].item() == 0


def test_levels_are_percent():
    with pytest.raises(ValueError, match="percent"):
        MaxBoxAcc(0.1, (0.3, 0.5))
