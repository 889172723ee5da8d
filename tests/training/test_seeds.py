"""Several seeds: each is the run that its seed alone gives; finished runs are kept, the mean and spread are stated."""

import json
import statistics

import pytest
import torch

from calm import main
from calm.data_loaders.synthbirds import generate as synthbirds
from calm.errors import UserError
from calm.runs import LAST
from calm.training import seeds
from tests.written_runs import rows_of


@pytest.fixture(scope="module")
def words(tiny_trunk, tmp_path_factory):
    folder = tmp_path_factory.mktemp("birds")
    counts = {"train_per_class": 4, "val_per_class": 2, "test_per_class": 3}
    synthbirds.generate(folder / "dataset", folder / "metadata", num_classes=2, image_size=48, seed=0, **counts)
    places = [f"--{name}_root={folder / place}" for name, place in (("data", "dataset"), ("metadata", "metadata"))]
    rest = "--dataset=SynthBirds --architecture=tiny --pretrained=False --crop_size=48 --batch_size=4"
    return [*places, "--workers=0", "--epochs=1", *rest.split()]


def weights(folder):
    return torch.load(folder / LAST, weights_only=True)["state_dict"]


@pytest.mark.usefixtures("undrawn")
def test_seeds_are_runs_of_their_own_and_one_mean(words, tmp_path, monkeypatch, capsys):
    save = tmp_path / "save"
    words = [*words, f"--save_root={save}"]
    main.main([*words, "--experiment_name=alone", "--seed=0"])
    main.main([*words, "--experiment_name=many", "--seeds", "1", "0"])
    for name, value in weights(save / "alone").items():
        assert torch.equal(weights(save / "many_seed0")[name], value), name
    accuracies = [
        json.loads((save / f"many_seed{seed}" / "results" / "accuracy.json").read_text())["metrics"]["accuracy"]
        for seed in (1, 0)
    ]
    written = json.loads((save / "many_seeds.json").read_text())
    assert [run["accuracy"] for run in written["runs"]] == accuracies
    assert written["metrics"] == {
        "accuracy": pytest.approx(statistics.mean(accuracies)),
        "accuracy_std": pytest.approx(statistics.stdev(accuracies)),
    }
    row = rows_of("table2", save / "many_seed0", save / "many_seed1")
    found = next(row for row in row.values() if row.seeds)
    assert found.seeds == (0, 1) and found.cells["accuracy"].values == tuple(accuracies[::-1])

    trained = []
    monkeypatch.setattr(seeds, "train", lambda args, process, **_: trained.append((args.seed, args.resume)))
    monkeypatch.setattr(seeds, "_summarise", lambda args, results: None)
    (save / "many_seed1" / "results" / "accuracy.json").unlink()
    capsys.readouterr()
    main.main([*words, "--experiment_name=many", "--seeds", "0", "1", "2"])
    assert trained == [(1, True), (2, False)]
    assert "many_seed0 is complete" in capsys.readouterr().out
    main.main([*words, "--experiment_name=many", "--seeds", "0", "--epochs=2"])
    main.main([*words, "--experiment_name=many", "--seeds", "0", "--override_cache"])
    assert trained[2:] == [(0, True), (0, False)]
    for content in ("{", "{}", "[1]", '{"metrics": {}, "details": {"epochs": 1}, "checkpoint": null}'):
        (save / "many_seed1" / "results" / "accuracy.json").write_text(content)
        with pytest.raises(UserError, match=r"many_seed1/results/accuracy\.json: is no results file"):
            main.main([*words, "--experiment_name=many", "--seeds", "1"])
    with pytest.raises(UserError, match=r"`lr`=0\.5 differs from 0\.01 in .*many_seed0"):
        main.main([*words, "--experiment_name=many", "--seeds", "0", "--lr=0.5"])
