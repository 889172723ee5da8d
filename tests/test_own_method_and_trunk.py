"""A training method and a trunk of one's own: two records, and main.py trains with them."""

import json

import pytest
import torch
from torch import nn

from calm import main
from calm.data_loaders.synthbirds import generate as synthbirds
from calm.networks import METHODS, TRUNKS, load_network
from calm.networks.methods.base import Method, Objective
from calm.networks.methods.cam import CAM
from calm.networks.network import Network
from calm.networks.trunks.cells import cell_grid


class MixedBatch(Objective):
    """Every image is averaged with the next of the batch, its loss with that of the other's class."""

    def __call__(self, network, images, targets):
        output = network((images + images.roll(1, 0)) / 2)
        return (self.loss(output, targets) + self.loss(output, targets.roll(1))) / 2


class TinyTrunk(Network):
    """One convolution at stride 4."""

    released_base_words = ("conv1",)
    channels = 8

    def __init__(self, options):
        super().__init__()
        self.conv1 = nn.Conv2d(3, self.channels, 4, stride=4)
        self.cell_stride, self.cell_offset = cell_grid([(4, 4, 0)])

    def features(self, images):
        return self.conv1(images).relu()


@pytest.fixture
def flags(tmp_path):
    places = [f"--data_root={tmp_path / 'dataset'}", f"--metadata_root={tmp_path / 'metadata'}"]
    sizes = {"train_per_class": 4, "val_per_class": 2, "test_per_class": 2}
    synthbirds.generate(tmp_path / "dataset", tmp_path / "metadata", num_classes=2, image_size=48, seed=0, **sizes)
    return [*places, f"--save_root={tmp_path / 'save'}", "--dataset=SynthBirds", "--crop_size=32", "--workers=0"]


def test_both_train_resume_and_load(monkeypatch, tmp_path, flags, capsys):
    monkeypatch.setitem(METHODS, "Mix", Method(CAM.head, CAM.loss, MixedBatch))
    monkeypatch.setitem(TRUNKS, "Tiny", TinyTrunk)
    words = ["--architecture=Tiny", "--attribution_method=mix", "--pretrained=False", "--batch_size=4", "--seed=1"]
    main.main([*flags, *words, "--experiment_name=own", "--epochs=1"])
    main.main([*flags, *words, "--experiment_name=own", "--epochs=2", "--resume"])
    main.main([*flags, *words, "--experiment_name=whole", "--epochs=2"])
    assert capsys.readouterr().out.count("test accuracy") == 3
    network, recorded = load_network(tmp_path / "save" / "own")
    whole, _ = load_network(tmp_path / "save" / "whole")
    assert (recorded.architecture, recorded.attribution_method) == ("Tiny", "Mix")
    assert all(torch.equal(tensor, whole.state_dict()[name]) for name, tensor in network.state_dict().items())
    result = json.loads((tmp_path / "save" / "own" / "results" / "accuracy.json").read_text())
    assert result["config"]["attribution_method"] == "Mix" and result["details"]["num_images"] == 4
