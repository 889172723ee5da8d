"""Adversarial complementary learning (Zhang et al., CVPR 2018): a second classifier sees what the first leaves.

A and B are two equal branches on the trunk's features. B works on the features without the cells where A's map of the
class is high.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from calm.errors import UserError
from calm.networks.heads import Head, at_least_float32
from calm.networks.methods.base import Method, Objective
from calm.networks.methods.min_max import min_max
from calm.networks.outputs import CamOutput

if TYPE_CHECKING:
    from calm.networks.network import Network

WIDTH = 1024
"""Channels of a branch's two hidden layers."""


def row_of(maps: Tensor, targets: Tensor) -> Tensor:
    """[B,K,h,w], [B] -> [B,h,w]: the map of each sample's own class."""
    return maps.gather(1, targets[:, None, None, None].expand(-1, 1, *maps.shape[2:])).squeeze(1)


def keep_mask(class_maps: Tensor, targets: Tensor, threshold: float) -> Tensor:
    """[B,1,h,w], 0 where A's map of the target, stretched to [0,1] over the image, reaches the threshold; else 1.

    A constant map erases nothing (unless the threshold is 0). No gradient.

    Args:
        class_maps: A's, [B,K,h,w].
        targets: [B] class indices.
        threshold: in [0,1].
    """
    attention = min_max(row_of(class_maps.detach(), targets))
    return (attention < threshold)[:, None].to(class_maps.dtype)


def erase(features: Tensor, class_maps: Tensor, targets: Tensor, threshold: float) -> Tensor:
    """Features [B,C,h,w] with all channels zero in the cells that ``keep_mask`` leaves out."""
    return features * keep_mask(class_maps, targets, threshold)


def merged_map(maps_a: Tensor, maps_b: Tensor, targets: Tensor) -> Tensor:
    """[B,h,w] in [0,1]: the larger of both branches' maps of the target, each stretched to [0,1] over the image."""
    return torch.maximum(min_max(row_of(maps_a, targets)), min_max(row_of(maps_b, targets)))


def acol_loss(scores_a: Tensor, scores_b: Tensor, targets: Tensor) -> Tensor:
    """Sum of both branches' cross entropies, each a mean over the batch.

    Args:
        scores_a: means of A's class maps, [B,K].
        scores_b: of B's.
        targets: [B] class indices.
    """
    return F.cross_entropy(scores_a, targets) + F.cross_entropy(scores_b, targets)


class AcolOutput(NamedTuple):
    """Both branches' class maps before pooling; A's alone predict."""

    class_maps: Tensor
    """A's, [B,K,h,w]."""
    maps_b: Tensor
    """B's, from the features that A's map of the given class left, [B,K,h,w]."""

    has_prior = False
    class_scores = CamOutput.class_scores
    log_p_y = CamOutput.log_p_y
    score_of = CamOutput.score_of


def branch(channels: int, num_classes: int) -> nn.Sequential:
    """3x3, ReLU, 3x3, ReLU, 1x1 convolutions, all with bias: features -> class maps."""
    return nn.Sequential(
        nn.Conv2d(channels, WIDTH, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv2d(WIDTH, WIDTH, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv2d(WIDTH, num_classes, 1),
    )


class AcolHead(Head):
    """``classifier_A`` and ``classifier_B`` on the features of ImageNet's own last layer."""

    trunk_layout = "acol"
    class_layers = ("classifier_A.4", "classifier_B.4")

    def __init__(self, *, acol_threshold: float = 0.7) -> None:
        """``acol_threshold`` in [0,1]: B does not see cells where A's map reaches it; the default is the benchmark's.

        Raises:
            UserError: for a number outside.
        """
        if not 0 <= acol_threshold <= 1:
            raise UserError(f"`acol_threshold`={acol_threshold} should lie in [0, 1]")
        self.threshold = acol_threshold

    def layers(self, channels: int, num_classes: int) -> dict[str, nn.Module]:
        """Both branches."""
        return {name: branch(channels, num_classes) for name in ("classifier_A", "classifier_B")}

    def read(
        self, network: Network, features: Tensor, *, images: Tensor | None = None, targets: Tensor | None = None
    ) -> AcolOutput:
        """[B,C,h,w] -> AcolOutput; without targets cells are erased by A's map of the class that A predicts."""
        maps_a = at_least_float32(network.get_submodule("classifier_A")(features))
        erased_by = maps_a.mean(dim=(2, 3)).argmax(dim=1) if targets is None else targets
        kept = erase(features, maps_a, erased_by, self.threshold)
        return AcolOutput(maps_a, at_least_float32(network.get_submodule("classifier_B")(kept)))


class AcolObjective(Objective):
    """The network is told the true classes."""

    def __call__(self, network: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
        """Sum of both cross entropies."""
        return self.loss(network(images, targets), targets)


def loss_of_output(output: AcolOutput, targets: Tensor) -> Tensor:
    """``acol_loss`` of both branches."""
    return acol_loss(output.class_maps.mean(dim=(2, 3)), output.maps_b.mean(dim=(2, 3)), targets)


ACOL = Method(AcolHead, loss_of_output, AcolObjective, default_map="acol")
