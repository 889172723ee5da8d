"""Training in two processes on the CPU: a run that is resumed, or started again, ends as if nothing had happened."""

import shutil
from pathlib import Path

import pytest
import torch

from calm import main
from calm.data_loaders.synthbirds import generate as synthbirds
from calm.runs import LAST
from tests.processes import in_two_processes


@pytest.fixture(scope="module")
def flags(tiny_trunk, tmp_path_factory):
    """Of a run whose teacher lags behind, and whose batch norm sees other images in every process."""
    folder = tmp_path_factory.mktemp("birds")
    counts = {"train_per_class": 6, "val_per_class": 1, "test_per_class": 1}
    synthbirds.generate(folder / "dataset", folder / "metadata", num_classes=2, image_size=48, seed=0, **counts)
    return [
        "--dataset=SynthBirds",
        *(f"--{root}_root={folder / name}" for root, name in (("data", "dataset"), ("metadata", "metadata"))),
        f"--save_root={folder / 'save'}",
        *"--architecture=tiny --pretrained=False --crop_size=32 --batch_size=4 --workers=0 --seed=0".split(),
        *"--attribution_method=CALM_EM --em_target=ema --em_momentum=0.5".split(),
    ]


@pytest.fixture(scope="module")
def whole(flags):
    """Two epochs without an interruption."""
    in_two_processes(main.main, [*flags, "--experiment_name=whole", "--epochs=2"])
    return Path(flags[3].removeprefix("--save_root=")) / "whole"


def assert_same_ends(one: Path, other: Path) -> None:
    first, second = (torch.load(folder / LAST, weights_only=True) for folder in (one, other))
    for entry in ("state_dict", "teacher_state_dict"):
        for name, tensor in first[entry].items():
            assert torch.equal(tensor, second[entry][name]), (entry, name)
    assert first["epoch"] == second["epoch"] == 2 and first["best_accuracy"] == second["best_accuracy"]


def test_a_resumed_run_ends_as_an_uninterrupted_one(flags, whole):
    in_two_processes(main.main, [*flags, "--experiment_name=part", "--epochs=1"])
    statistics = torch.load(whole.with_name("part") / LAST, weights_only=True)["state_dict"]["bn1.running_mean"]
    assert not torch.equal(statistics, torch.zeros_like(statistics))
    in_two_processes(main.main, [*flags, "--experiment_name=part", "--epochs=2", "--resume"])
    assert_same_ends(whole, whole.with_name("part"))


def test_a_first_start_that_torchrun_repeats_is_the_same_run(flags, whole):
    again = whole.with_name("again")
    again.mkdir()
    shutil.copy(whole / "config.yaml", again)  # all that a start leaves before its first checkpoint
    words = [*flags, "--experiment_name=again", "--epochs=2"]
    in_two_processes(main.main, words, TORCHELASTIC_RESTART_COUNT="1")
    assert_same_ends(whole, again)
