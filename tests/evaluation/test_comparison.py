"""Numbers of several attributions on the same images: their order, their means, and who wins."""

import pytest
import torch

from calm.evaluation.attribution.comparison import joined, mean_of, per_image, wins_of, with_wins
from calm.evaluation.attribution.measures import MEASURES


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
