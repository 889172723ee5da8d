"""What a training leaves in its folder, and takes out of it."""

import json
from pathlib import Path

import pytest

from calm import main
from calm.data_loaders.synthbirds import generate as synthbirds
from calm.runs import EXPORTS, LAST
from calm.training import run as run_folders
from calm.training.run import PREVIOUS
from tests.test_main import flags


@pytest.fixture
def birds(tiny_trunk, undrawn, tmp_path) -> Path:
    """A folder with a very small SynthBirds: 2 classes, 48 px."""
    counts = {"train_per_class": 3, "val_per_class": 1, "test_per_class": 3}
    roots = (tmp_path / "dataset", tmp_path / "metadata")
    synthbirds.generate(*roots, num_classes=2, image_size=48, seed=0, **counts)
    return tmp_path


def test_the_log_ends_with_the_test_accuracy(birds, capsys):
    main.main(flags(birds, "run", "--epochs=1"))
    folder = birds / "save" / "run"
    accuracy = json.loads((folder / "results" / "accuracy.json").read_text())["metrics"]["accuracy"]
    last = (folder / "log.txt").read_text().splitlines()[-1]
    assert last.startswith(f"test accuracy: {accuracy:.2f} % of 6 images") and capsys.readouterr().out.count(last) == 1


def test_exports_of_a_replaced_run_go_with_it(tmp_path):
    folder = tmp_path / "x"
    folder.mkdir()
    for name in ("config.yaml", LAST, *EXPORTS, "notes.txt"):
        (folder / name).write_text(name)
    run_folders._set_aside(folder)
    assert {path.name for path in folder.iterdir()} == {PREVIOUS, "notes.txt"}
    assert {path.name for path in (folder / PREVIOUS).iterdir()} == {"config.yaml", LAST, *EXPORTS}
