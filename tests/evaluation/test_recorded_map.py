"""What a results file records of the map that was evaluated."""

import json

import pytest
import torch

from calm import eval_pixel_perturb
from calm.data_loaders.synthbirds import generate as synthbirds
from calm.networks import build_network

CLASSES, SIZE = 3, 48


@pytest.fixture(scope="module")
def flags(tmp_path_factory) -> list[str]:
    """Of SynthBirds, small, and an untrained network."""
    folder = tmp_path_factory.mktemp("own")
    roots, counts = (folder / "dataset", folder / "metadata"), dict.fromkeys(("train_per_class", "val_per_class"), 1)
    synthbirds.generate(*roots, num_classes=CLASSES, image_size=SIZE, seed=0, test_per_class=2, **counts)
    torch.manual_seed(0)
    network = build_network("resnet18", "CAM", CLASSES)
    content = {"architecture": "resnet18", "epoch": 1, "state_dict": network.state_dict()}
    stated = {"architecture": "resnet18", "attribution_method": "CAM", "dataset_name": "SynthBirds", "crop_size": SIZE}
    places = {"data_root": str(roots[0]), "metadata_root": str(roots[1]), "large_feature_map": False}
    (folder / "run").mkdir()
    torch.save({**content, "config": stated | places}, folder / "run" / "last_checkpoint.pth.tar")
    return [f"--load_checkpoint={folder / 'run'}", "--batch_size=6", "--workers=0"]


def results(flags: list[str], evaluation: str) -> dict:
    folder = flags[0].removeprefix("--load_checkpoint=")
    with open(f"{folder}/results/{evaluation}.json") as file:
        return json.load(file)


def test_the_name_of_the_map_is_the_one_that_was_used(flags):
    eval_pixel_perturb.main([*flags, "--score_map_method=backprop"])
    found = results(flags, "pixel_perturb")
    assert found["config"]["score_map_process"] == found["details"]["attribution"] == "gradient"
