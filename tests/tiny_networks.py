"""Networks small enough to check by hand: two convolutions, then the real branches and heads."""

import torch
from torch import Tensor, nn

from calm.networks.methods import METHODS
from calm.networks.network import GuidancePlaces, Network


class TinyNetwork(Network):
    """[B,3,H,W] -> features [B,channels,H/2,W/2] with batch norm, so that a wrong mode shows."""

    architecture = "tiny"
    dropout_places = ("bn1", "conv2")

    def __init__(self, method: str, *, num_classes: int, channels: int, **head_options) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, channels, 3, stride=2, padding=1)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)
        self.channels, self.method = channels, method
        self.guidance_places = GuidancePlaces("conv1", channels, "bn1", channels, width=channels)
        self.add_head(METHODS[method].head(**head_options), num_classes)

    def features(self, images: Tensor) -> Tensor:
        return self.relu(self.conv2(self.relu(self.bn1(self.conv1(images)))))


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
