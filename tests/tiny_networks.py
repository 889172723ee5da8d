"""Networks small enough to check by hand: two convolutions, then the real branches and heads."""

from typing import ClassVar

import torch
from torch import Tensor, nn

from calm.networks.methods import METHODS
from calm.networks.network import GuidancePlaces, Network
from calm.networks.trunks.cells import cell_grid
from calm.networks.trunks.initialise import he_fan_out, initialise
from calm.networks.trunks.options import TrunkOptions


class TinyNetwork(Network):
    """[B,3,H,W] -> features [B,channels,H/2,W/2] with batch norm, so that a wrong mode shows."""

    architecture = "tiny"

    def __init__(self, method: str, *, num_classes: int, channels: int, **head_options) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, channels, 3, stride=2, padding=1)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)
        self.channels, self.method = channels, method
        self.cell_stride, self.cell_offset = cell_grid([(3, 2, 1), (3, 1, 1)])
        self.dropout_places = {"bn1": channels, "conv2": channels}
        self.guidance_places = GuidancePlaces("conv1", channels, "bn1", channels, width=channels)
        self.add_head(METHODS[method].head(**head_options), num_classes)

    def features(self, images: Tensor) -> Tensor:
        return self.relu(self.conv2(self.relu(self.bn1(self.conv1(images)))))


class TinyTrunk(Network):
    """[B,3,H,W] -> features [B,16,H/16,W/16], or /8 with the large feature map.

    What the tests of the scripts train in place of a ResNet (``tiny_trunk`` in conftest.py).
    """

    norm: type[nn.Module] = nn.BatchNorm2d

    channels = 16
    dropout_places: ClassVar = {"conv2": 12, "conv3": 16}
    guidance_places = GuidancePlaces("conv2", 12, "conv3", 16, width=8)
    released_base_words = ("conv1", "conv2")
    draw_weight = staticmethod(he_fan_out)

    def __init__(self, options: TrunkOptions) -> None:
        super().__init__()
        last = 1 if options.large_feature_map else 2
        self.conv1 = nn.Conv2d(3, 8, 4, stride=4)
        self.bn1 = self.norm(8)
        self.conv2 = nn.Conv2d(8, 12, 3, stride=2, padding=1)
        self.conv3 = nn.Conv2d(12, self.channels, 3, stride=last, padding=1)
        self.relu = nn.ReLU()
        self.cell_stride, self.cell_offset = cell_grid([(4, 4, 0), (3, 2, 1), (3, last, 1)])
        initialise(self, self.draw_weight)

    def features(self, images: Tensor) -> Tensor:
        x = self.relu(self.bn1(self.conv1(images)))
        return self.relu(self.conv3(self.relu(self.conv2(x))))


class PlainTinyTrunk(TinyTrunk):
    """Without batch norm, whose statistics are those of one process's part of a batch."""

    norm = nn.Identity


def tiny_network(method: str, *, num_classes: int = 5, channels: int = 6, seed: int = 0, **head_options) -> TinyNetwork:
    """A tiny network in eval mode with random weights and batch-norm statistics."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = TinyNetwork(method, num_classes=num_classes, channels=channels, **head_options)
        network.bn1.running_mean.normal_()
        network.bn1.running_var.uniform_(0.5, 2.0)
    return network.eval()


def tiny_batch(batch: int = 3, size: int = 12, *, num_classes: int = 5, seed: int = 1) -> tuple[Tensor, Tensor]:
    """Images [B,3,size,size] and targets [B]."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn(batch, 3, size, size, generator=generator)
    return images, torch.randint(num_classes, (batch,), generator=generator)
