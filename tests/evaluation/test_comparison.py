"""Numbers of several attributions on the same images: their order, their means, and who wins."""

import numpy as np
import pytest
import torch

from calm.evaluation.attribution.comparison import (
    joined,
    mean_of,
    means_without_knowledge,
    per_image,
    wins_of,
    with_wins,
)
from calm.evaluation.attribution.measures import LOCATIONS, MEASURES


def numbers(drops, indices):
    values = {key: torch.full((len(drops),), 0.5) for key in MEASURES}
    return values | {"average_drop": torch.tensor(drops), "index": torch.tensor(indices)}


def test_batches_join_and_come_back_in_the_data_set_s_order():
    values = joined([numbers([0.25, 0.75], [2, 0]), numbers([0.5], [1])])
    found = per_image(values, ["a", "b", "c"])
    assert found["image_ids"] == ["a", "b", "c"] and found["average_drop"] == [0.75, 0.5, 0.25]
    assert mean_of(values)["average_drop"] == pytest.approx(50)
    assert set(joined([])) == set(values) and len(joined([])["index"]) == 0


def test_the_lower_drop_wins_and_a_tie_is_nobody_s():
    labels = {"joint": "run/joint", "gradcam": "run/gradcam"}
    values = [numbers([0.0, 0.5, 0.5, 1.0], range(4)), numbers([0.5, 0.5, 1.0, 0.5], range(4))]
    wins = wins_of(list(labels.values()), values)
    assert wins == {"run/joint over run/gradcam": 50.0, "run/gradcam over run/joint": 25.0}
    means = {"joint": {"increase": 1.0}, "gradcam": {"increase": 2.0}}
    assert with_wins(means, labels, wins) == {
        "joint": {"increase": 1.0, "win_over_gradcam": 50.0},
        "gradcam": {"increase": 2.0},
    }
    assert with_wins({"joint": {"increase": 1.0}}, labels, wins) == {"joint": {"increase": 1.0}}


def test_places_of_maps_without_knowledge():
    regions = torch.zeros(3, 8, 8, dtype=torch.bool)
    regions[0, 2:6, 3:7], regions[1, :2, :2] = True, True  # the third image has no region and no number
    found = means_without_knowledge(regions.split(1), 8)
    shares = [16 / 64, 4 / 64]
    assert found["constant"]["proportion"] == pytest.approx(100 * sum(shares) / 2)
    assert found["constant"]["Loc_25"] == pytest.approx(sum(shares) / 2) and found["constant"]["pointing"] == 0
    gaussian = np.array([[np.exp(-((y - 3.5) ** 2 + (x - 3.5) ** 2) / 8) for x in range(8)] for y in range(8)])
    inside = [gaussian[2:6, 3:7].sum() / gaussian.sum(), gaussian[:2, :2].sum() / gaussian.sum()]
    assert found["centred_gaussian"]["proportion"] == pytest.approx(100 * sum(inside) / 2, rel=1e-5)
    assert found["centred_gaussian"]["pointing"] == 50 and set(found["constant"]) == set(LOCATIONS)
