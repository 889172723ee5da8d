"""The metrics of the CAM family on maps drawn by hand, and means that merge."""

import math

import pytest
import torch

from calm.evaluation.attribution.faithfulness import area, drop, increase
from calm.evaluation.attribution.location import loc, pointing, proportion
from calm.evaluation.attribution.measures import DELTAS, MEASURES
from calm.evaluation.attribution.metrics import Means, Wins


def square(size: int, top: int, left: int, side: int) -> torch.Tensor:
    mask = torch.zeros(size, size, dtype=torch.bool)
    mask[top : top + side, left : left + side] = True
    return mask


def test_drop_and_increase():
    full = torch.tensor([0.8, 0.5, 0.4, 0.0])
    masked = torch.tensor([0.2, 0.5, 0.6, 0.0])
    assert drop(full, masked).tolist() == pytest.approx([0.75, 0, 0, 0])
    assert increase(full, masked).tolist() == [0, 0, 1, 0]


def test_loc_is_internal_over_box_plus_external():
    region = square(10, 0, 0, 4)  # 16 pixels
    score = torch.zeros(10, 10)
    score[0:4, 2:6] = 0.5  # 8 pixels inside, 8 outside
    score[0, 0] = 0.2
    assert loc(score[None], region[None], 0.25).item() == pytest.approx(8 / (16 + 8))
    assert loc(score[None], region[None], 0.0).item() == pytest.approx(9 / (16 + 8))
    assert loc(score[None], region[None], 0.5).item() == 0  # strictly above


def placed(score_maps: torch.Tensor, regions: torch.Tensor) -> list[torch.Tensor]:
    """Every number of how well the maps are placed."""
    return [
        *(loc(score_maps, regions, delta) for delta in DELTAS),
        proportion(score_maps, regions),
        pointing(score_maps, regions),
    ]


def test_a_perfect_map_has_the_best_numbers():
    regions = torch.stack([square(12, 1, 2, 5), square(12, 6, 0, 3)])
    assert all(value.tolist() == [1, 1] for value in placed(regions.float(), regions))


def test_proportion_of_energy():
    regions = square(8, 0, 0, 4)[None].expand(3, -1, -1)
    scores = torch.stack([torch.ones(8, 8), torch.zeros(8, 8), (~regions[0]).float()])
    assert proportion(scores, regions).tolist() == [16 / 64, 0, 0]


def test_pointing_takes_the_first_maximum_and_a_constant_map_misses():
    region = square(6, 0, 0, 3)
    inside, outside, both = torch.zeros(3, 6, 6)
    inside[1, 1] = outside[5, 5] = 1
    both[0, 2] = both[4, 4] = 1
    scores = torch.stack([inside, outside, both, torch.full((6, 6), 0.3)])
    assert pointing(scores, region[None].expand(4, -1, -1)).tolist() == [1, 0, 1, 0]


def test_an_image_without_region_has_no_number():
    values = placed(torch.rand(2, 6, 6), torch.stack([square(6, 0, 0, 2), square(6, 0, 0, 0)]))
    assert all(not value[0].isnan() and value[1].isnan() for value in values)


def test_area_is_the_trapezoid_rule():
    curve = torch.tensor([[1.0, 0.5], [0.5, 0.5], [0.0, 0.5]])
    assert area(curve).tolist() == [0.5, 0.5]


def random_values(count: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(count)
    values = {name: torch.rand(count, generator=generator) for name in MEASURES}
    values["pointing"][0] = float("nan")
    return values


def test_means_leave_out_nan():
    values, serial = random_values(23), Means()
    serial.update(values)
    for name, value in values.items():
        known = [number for number in value.tolist() if not math.isnan(number)]
        assert serial.compute()[name] == pytest.approx(MEASURES[name].scale * sum(known) / len(known), abs=1e-7)
    assert len([number for number in values["pointing"].tolist() if not math.isnan(number)]) == 22


def test_means_of_nothing_are_not_numbers():
    assert all(math.isnan(mean) for mean in Means().compute().values())


def test_wins_count_strictly_lower_drops():
    wins = Wins(("ours", "theirs"))
    wins.update(torch.tensor([[0.1, 0.2, 0.3, 0.0], [0.2, 0.1, 0.4, 0.0]]))
    assert wins.compute() == {"ours over theirs": 50, "theirs over ours": 25}
