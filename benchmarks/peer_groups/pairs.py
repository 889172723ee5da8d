"""A pair of functions to compare, and the inputs that both get."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from calm.attribution import build_attribution
from calm.attribution.libraries import Tapped
from calm.networks import build_network

CLASSES = 200


class Pair(NamedTuple):
    """Two functions of the same inputs, and the number by which their results differ."""

    ours: Callable[[], Any]
    theirs: Callable[[], Any]
    difference: Callable[[Any, Any], float]
    peer: str


class Inputs:
    """A random ResNet18, normal images and the classes it takes them for."""

    def __init__(self, batch: int, side: int) -> None:
        torch.manual_seed(0)
        self.network = build_network("resnet18", "CAM", CLASSES).eval()
        self.images = torch.randn(batch, 3, side, side)
        with torch.no_grad():
            self.targets = self.network(self.images).log_p_y.argmax(dim=1)
        self.scores = Tapped(self.network).eval()

    def ours(self, name: str, **options: Any) -> Callable[[], Tensor]:
        """Our attribution of the batch."""
        attribution = build_attribution(name, **options)
        return lambda: attribution(self.network, self.images, self.targets)


def largest(ours: Tensor, theirs: Tensor) -> float:
    """Largest difference of maps, each scaled by its own maximum, as both sides use other units."""
    ours, theirs = (maps / maps.amax(dim=(1, 2), keepdim=True) for maps in (ours, theirs.detach()))
    return (ours - theirs).abs().max().item()


def apart(ours: float, theirs: float) -> float:
    """Of numbers."""
    return abs(ours - theirs)
