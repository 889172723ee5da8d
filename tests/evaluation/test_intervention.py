"""Birds with a known cause: a hand-made network whose cause is known exactly, and what is drawn for a real one."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from calm import errors, eval_intervention
from calm.data_loaders.cues.pairs import PARTS
from calm.data_loaders.synthbirds import generate as synthbirds
from calm.data_loaders.synthbirds.classes import bird_classes, differing_parts
from calm.data_loaders.synthbirds.redraw import redrawer
from calm.data_loaders.synthbirds.render import render
from calm.engine import Prediction
from calm.evaluation.intervention.agreement import completeness, counted, largest_agrees, rank_correlation, summarise
from calm.evaluation.intervention.measure import Case, Effects, Judged, judge
from calm.evaluation.uninformed import uninformed_maps
from calm.networks.outputs import CamOutput
from tests.evaluation.merging import equal
from tests.processes import in_two_processes
from tests.tiny_networks import tiny_network

SIZE, NUM_PARTS = 8, 3
OF_RIVAL = 0.25


def log_p_y(images: torch.Tensor) -> torch.Tensor:
    """Class 0 scores the sum of the red channel over 10, class 1 the sum of the green one: no other cause."""
    return (images.sum(dim=(2, 3))[:, :2] / 10).log_softmax(dim=1)


def hand_made(index: int) -> Case:
    """Three parts of four pixels each, with red of their own; the rival's looks are green, of parts 0 and 2 alone."""
    rng = np.random.default_rng(index)
    masks = torch.zeros(len(PARTS), SIZE, SIZE, dtype=torch.bool)
    whole = torch.zeros(3, SIZE, SIZE)
    for part in range(NUM_PARTS):
        masks[part, 2 * part : 2 * part + 2, :2] = True
        whole[0, masks[part]] = float(rng.uniform(0.5, 2))
    without = {part: whole * ~masks[part] for part in range(NUM_PARTS)}
    green = {part: without[part] + OF_RIVAL * masks[part] * torch.tensor([0.0, 1, 0])[:, None, None] for part in (0, 2)}
    both = green[0] * ~masks[2] + green[2] * masks[2]
    return Case(index, 0, 1, whole, masks, {"removed": without, "rival": green}, {"removed": 0 * whole, "rival": both})


def predict(cases: list[Case]) -> Prediction:
    images = torch.stack([case.whole for case in cases])
    output = CamOutput(images[:, :2] * SIZE * SIZE / 10)
    return Prediction(output, images, torch.tensor([0] * len(cases)), torch.tensor([case.index for case in cases]))


def class_map(batch: Prediction) -> torch.Tensor:
    """CAM of the hand-made network, whose score is the mean of its class map."""
    return batch.output.class_maps[torch.arange(len(batch.targets)), batch.targets]


def judged(indices, **makers):
    fixed = {"constant": uninformed_maps(SIZE)["constant"]}
    return judge(map(hand_made, indices), predict, log_p_y, makers, fixed, batch_size=2)


def test_the_cause_of_a_hand_made_network_is_found():
    own = judged(range(5), right=class_map, wrong=lambda batch: -class_map(batch))
    for index in range(5):
        whole = hand_made(index).whole[0]
        reds = [float(whole[2 * part, 0]) * 4 / 10 for part in range(NUM_PARTS)]
        total = sum(reds)
        falls = [-math.log1p(math.exp(-total)) + math.log1p(math.exp(red - total)) for red in reds]
        assert np.allclose(own.truth["removed"].parts[index, :NUM_PARTS], falls, atol=1e-6)
        assert np.isnan(own.truth["removed"].parts[index, NUM_PARTS:]).all()
        margins = [reds[0] + 4 * OF_RIVAL / 10, 0, reds[2] + 4 * OF_RIVAL / 10]
        assert np.allclose(own.truth["rival"].parts[index, :NUM_PARTS], margins, atol=1e-6)
        assert own.truth["rival"].together[index] == pytest.approx(sum(margins), abs=1e-6)
        assert np.allclose(own.given["right"]["removed"][index, :NUM_PARTS], np.multiply(reds, SIZE * SIZE), atol=1e-4)
    metrics, intervals = summarise(own, own)
    assert metrics["right"]["removed_rank_correlation"] == 1 and metrics["right"]["removed_largest_agrees"] == 100
    assert metrics["wrong"]["removed_rank_correlation"] == -1 and metrics["wrong"]["removed_largest_agrees"] == 0
    assert metrics["right"]["removed_completeness"] > 0.99 > -0.99 > metrics["wrong"]["removed_completeness"]
    assert intervals["right"]["removed_rank_correlation"] == (1, 1)
    assert math.isnan(metrics["constant"]["removed_rank_correlation"])  # equal areas: nothing to rank


def test_shares_of_the_birds_add_up_to_all():
    """The means are merged by addition (test_merging); here a share of the birds gives the same numbers per bird."""
    every, some = judged(range(4), right=class_map), judged((1, 3), right=class_map)
    assert np.allclose(every.given["right"]["rival"][[1, 3]], some.given["right"]["rival"], equal_nan=True)
    assert np.allclose(every.truth["rival"].parts[[1, 3]], some.truth["rival"].parts, equal_nan=True)


def test_ranks_share_ties_and_parts_without_an_effect_do_not_count():
    nan = float("nan")
    assert rank_correlation(np.array([3.0, 1, 2, nan]), np.array([9.0, 0, 0, nan])) == pytest.approx(math.sqrt(0.75))
    assert math.isnan(rank_correlation(np.array([3.0, 1]), np.array([1.0, 1])))
    assert largest_agrees(np.array([3.0, 1]), np.array([0.2, 0.1])) == 1
    assert math.isnan(largest_agrees(np.array([3.0, 1]), np.array([-0.2, 0])))
    for tied in ([0.0, 0, 0], [2.0, 2, nan]):  # no part is given most, whichever of them stands first
        assert largest_agrees(np.array(tied), np.array([0.2, 0.1, 0.1])) == 0
    given, together = np.array([[1.0, nan], [2, 1], [0, 1]]), np.array([1.0, 5, 2])
    assert completeness(given, together)[0] == pytest.approx(np.corrcoef([1, 3, 1], together)[0, 1])
    twice = completeness(given, together, np.array([[0, 2, 1]]))[0]
    assert twice == pytest.approx(np.corrcoef([3, 3, 1], [5, 5, 2])[0, 1])


def test_images_of_which_a_number_is_not_defined_are_not_counted():
    effects = Effects(np.array([[1.0, 2, math.nan], [1, 1, 1], [3, 2, -1], [-1, -2, -3]]), np.zeros(4))
    truth, index = {"removed": effects, "rival": effects}, np.arange(4)
    given = {"flat": np.ones((4, 3)), "own": np.arange(12.0).reshape(4, 3)}
    found = counted(Judged(index, index, truth, {name: dict.fromkeys(truth, own) for name, own in given.items()}))
    assert (found["flat"]["removed_rank_correlation"], found["own"]["rival_rank_correlation"]) == (0, 3)
    assert found["flat"]["rival_largest_agrees"] == found["own"]["removed_largest_agrees"] == 3  # no effect above 0


@pytest.fixture(scope="module")
def birds(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("birds")
    counts = {"train_per_class": 1, "val_per_class": 1, "test_per_class": 2}
    synthbirds.generate(folder, folder / "metadata", num_classes=4, image_size=48, **counts)
    return folder


def test_a_bird_is_drawn_again_but_for_one_part(birds):
    bird = bird_classes(4)[1]
    image_id = f"002.{bird.name}/{bird.name}_test_0002.jpg"
    drawn = redrawer(birds / "SynthBirds")(image_id)
    stored = np.asarray(Image.open(birds / "SynthBirds/images" / image_id)).astype(int)
    assert np.abs(drawn.whole.astype(int) - stored).mean() < 3  # JPEG
    assert drawn.rival == 2 and list(drawn.removed) == sorted(np.unique(drawn.part_mask)[1:] - 1)
    differ = differing_parts(bird, bird_classes(4)[drawn.rival])
    assert [PARTS[part] for part in drawn.given] == [name for name in differ if PARTS.index(name) in drawn.removed]
    looks = dict(zip(PARTS, bird.looks)) | {"head": None}
    headless = render(looks, (0, 2, 1, 1), size=48, shape=bird.shape).image
    assert np.array_equal(drawn.removed[0], headless) and not np.array_equal(headless, drawn.whole)


@pytest.fixture
def network():
    return tiny_network("CALM_ML", num_classes=4)


@pytest.fixture
def flags(birds, network, monkeypatch) -> list[str]:
    """Of the script, for a tiny network that no file holds."""
    from calm.evaluation import session as sessions
    from calm.runs import Restored

    monkeypatch.setattr(sessions, "restore", lambda args, device: Restored(network, args, birds / "run/x", "0", None))
    places = [f"--data_root={birds}", f"--metadata_root={birds / 'metadata'}", "--dataset=SynthBirds"]
    return [*places, "--load_checkpoint=x", "--attribution_method=CALM_ML", "--crop_size=48", "--workers=0"]


def test_the_script_writes_metrics_intervals_and_a_picture(birds, flags, capsys):
    assert errors.run(lambda: eval_intervention.main([*flags, "--attributions=joint,gradient"])) == 0
    found = json.loads((birds / "run/results/intervention.json").read_text())
    assert set(found["metrics"]) == {"joint", "gradient"} and set(found["baselines"]) == set(uninformed_maps(48))
    for name, values in found["metrics"].items():
        low, high = found["intervals"][name]["removed_rank_correlation"]
        assert -1 <= low <= values["removed_rank_correlation"] <= high <= 1
    images = found["details"]["images"]
    for name, numbers in found["details"]["num_counted"].items():
        for question in ("removed", "rival"):
            rows = zip(images["given"][name][question], images["truth"][question]["parts"], strict=True)
            pairs = [[pair for pair in zip(*row) if None not in pair] for row in rows]
            varied = [row for row in pairs if all(len(set(column)) > 1 for column in zip(*row))]
            assert numbers[f"{question}_rank_correlation"] == len(varied) <= 8
    assert len(images["image_ids"]) == 8 and set(images["rivals"]) <= {1, 2, 3, 4}
    assert (birds / "run/results/intervention/agreement.png").stat().st_size > 5000
    printed = capsys.readouterr().out
    assert all(text in printed for text in ("rank correlation", "\nconstant map", "\ncentred Gaussian, sigma 12 px"))
    assert errors.run(lambda: eval_intervention.main([*flags, "--dataset=TinyImageNet"])) == 2
    assert not equal(found["metrics"]["joint"]["rival_completeness"], float("nan"))


@pytest.mark.parametrize("count", [1, 7])
def test_two_processes_equal_one(birds, flags, count, monkeypatch):
    """Also where one of them has no bird at all; noise is drawn per bird."""
    monkeypatch.setattr("calm.evaluation.intervention.report.draw", lambda *_: None)
    flags += ["--attributions=joint,gradient,smoothgrad", f"--max_images={count}", "--smooth_grad_nr_iter=2"]
    in_two_processes(eval_intervention.main, [*flags, "--tag=two"])
    assert errors.run(lambda: eval_intervention.main([*flags, "--tag=one"])) == 0
    one, two = (json.loads((birds / f"run/results/intervention_{tag}.json").read_text()) for tag in ("one", "two"))
    images = [found["details"]["images"] for found in (one, two)]
    assert one["details"]["num_images"] == count and images[0]["image_ids"] == images[1]["image_ids"]
    for name, metrics in one["metrics"].items():
        assert two["metrics"][name] == pytest.approx(metrics, abs=1e-4)  # other batches are rounded otherwise
        for key, ends in one["intervals"][name].items():
            assert two["intervals"][name][key] == pytest.approx(ends, abs=1e-2)


def test_a_bird_of_which_the_network_is_not_finite_is_named(flags, network, capsys):
    network.conv_last.weight.data.fill_(float("nan"))
    assert errors.run(lambda: eval_intervention.main([*flags, "--attributions=joint"])) == 2
    name = bird_classes(4)[0].name
    assert f"001.{name}/{name}_test_0001.jpg: the network's" in capsys.readouterr().err
