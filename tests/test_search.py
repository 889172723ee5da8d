"""The search of settings: no test photograph, one grid for every network, and what wins follows from the numbers."""

import json

import pytest

from calm import config
from calm.data_loaders.metadata import read_records
from calm.experiments import plan, search
from calm.experiments.run import Places
from calm.experiments.search_page import searched, summary
from calm.experiments.trainings import trainings
from tests.tiny_data import tiny_cub


def test_trials_are_commands_of_one_grid_for_all_networks():
    listed = search.grid()
    first = search.trials(listed, 0, {})
    won = {name: {"setting": "lr_0.03", "tried": {"lr": 0.03}} for name in listed["networks"]}
    for number, tried in ((0, first), (1, search.trials(listed, 1, won))):
        for trial in tried:
            train, cue = trial.steps(listed["dataset"])
            args = config.parse(list(train.words[1:]), "main")
            assert (
                args.dataset_name == "CUB"
                and args.experiment_name == trial.run
                and args.epochs == listed["train"]["epochs"]
            )
            assert all(args[name] == value for name, value in trial.tried.items())
            assert config.parse(list(cue.words[2:]), "eval_cue_location").tag == search.TAG
            assert number == 0 or (trial.setting.startswith("lr_0.03_") and args.lr == 0.03)
        grids = {name: [t.tried for t in tried if t.network == name] for name in listed["networks"]}
        assert len({json.dumps(grid) for grid in grids.values()}) == 1


def test_held_out_photographs_are_training_photographs_that_do_not_train(tmp_path):
    for split in ("train", "val"):
        tiny_cub(tmp_path, split)
    listed = search.grid() | {"per_class": {"train": 2, "held_out": 1}}
    search.hold_out(listed, str(tmp_path / "metadata"), tmp_path / "out")
    ids = {split: {r.image_id for r in read_records(tmp_path / "out", "CUB", split)} for split in ("train", "test")}
    every = {record.image_id for record in read_records(tmp_path / "metadata", "CUB", "train")}
    assert ids["train"] | ids["test"] == every and not ids["train"] & ids["test"] and len(ids["test"]) == 3


@pytest.fixture
def found(monkeypatch, tmp_path):
    """A search whose runs are made up: accuracy and mPxAP follow from the flags."""

    def fake(steps, places, say):
        for step in steps:
            flags = dict(word.removeprefix("--").split("=", 1) for word in step.words if "=" in word)
            path = places.save_root / step.run / step.result
            path.parent.mkdir(parents=True, exist_ok=True)
            if step.words[0] == "train":
                accuracy = {0.003: 40.0, 0.01: 62, 0.03: 63.5}[float(flags["lr"])] - 9 * (
                    "lr_classifier_ratio" in flags
                )
                content = {"metrics": {"accuracy": accuracy}, "details": {"num_images": 500}}
            else:
                value = 50 + (step.run.endswith("lr_0.01")) + 5 * ("16x16" in step.run) + 9 * ("head" in step.run)
                ends = {"mPxAP": [value - 2, value + 2], "above_prevalence": [1, 5]}
                content = {"metrics": {"mPxAP": value, "prevalence": 44.0}, "intervals": ends}
            path.write_text(json.dumps(content))

    monkeypatch.setattr(search, "run", fake)
    monkeypatch.setattr(search, "hold_out", lambda *places: None)
    said: list[str] = []
    rounds = [{f"lr_{rate}": {"minutes": 2.0, "flags": {"lr": rate}} for rate in (0.003, 0.01, 0.03)}]
    finer = {"grid_16x16": {"minutes": 4.0, "flags": {"large_feature_map": True}}}
    rounds += [{**finer, "head_rate_x1": {"minutes": 2.0, "flags": {"lr_classifier_ratio": 1}}}]
    won = search.search(
        search.grid() | {"rounds": rounds}, Places(str(tmp_path), "d", "m"), tmp_path / "kept", said.append
    )
    assert "15 settings" in said[0] and "minutes" in said[0]
    return won, tmp_path / "kept"


def test_the_highest_mpxap_among_the_accurate_wins_and_is_trained(found):
    won, kept = found
    assert search.chosen_in(kept) == won and {row["setting"] for row in won.values()} == {"lr_0.01_grid_16x16"}
    steps = list(plan.steps(trainings(chosen=won)))
    trained = {step.run: step for step in steps if step.words[0] == "train"}
    words = trained["birds_CALM_EM_relu_s1"].words
    assert {"--lr=0.01", "--large_feature_map=True", "--prior_activation=relu"} <= {*words}
    assert trained["birds_CAM_s0"].minutes > 11 and "--large_feature_map=True" not in trained["SynthBirds_CAM_s0"].words
    page = searched({"search": json.loads((kept / search.KEPT).read_text())})
    assert page.count("| won |") == 3 and page.count("| CALM_EM |") == 5
    assert "`large_feature_map`=True" in summary({"search": json.loads((kept / search.KEPT).read_text())})
