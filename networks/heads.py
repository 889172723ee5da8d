"""Heads: the layers behind a trunk's last features, and how an output in log space is read with them.

The published heads share two 1x1 convolutions, the class branch g (``conv_last``) and the prior branch h
(``attention``). A head works in float32 or better, also under autocast.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from calm.errors import UserError
from calm.networks.outputs import CalmOutput, CamOutput, Output

if TYPE_CHECKING:
    from calm.networks.network import Network

PRIOR_FLOOR = 1e-30
"""Least value of the unnormalised ReLU prior, so that a prior of all zeros is uniform instead of 0/0."""


def at_least_float32(x: Tensor) -> Tensor:
    """float32, also under autocast; float64 stays."""
    return x if x.dtype == torch.float64 else x.float()


def log_softplus(h: Tensor) -> Tensor:
    """log(log(1 + e^h)), accurate also where softplus(h) underflows to 0: there it is h (error below e^h)."""
    small = h < -15
    safe = torch.where(small, torch.zeros_like(h), h)
    return torch.where(small, h, F.softplus(safe).log())


def log_relu(h: Tensor) -> Tensor:
    """log(max(h, PRIOR_FLOOR)): the released prior; cells at or below zero get no gradient."""
    return h.clamp_min(PRIOR_FLOOR).log()


PRIOR_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"softplus": log_softplus, "relu": log_relu}


class Head:
    """What a training method puts on a trunk.

    The options of a head are the keyword-only parameters of its ``__init__``, named like the flags that set them.
    """

    uses_prior: ClassVar[bool] = False
    """Whether the outputs have a prior p(z|x)."""
    class_layers: ClassVar[tuple[str, ...]] = ("conv_last",)
    """Layers with a row of weights for each class: new where the classes are others."""

    begins_with_classifier: ClassVar[bool] = False
    """Whether a linear classifier of mean features may be where ``conv_last`` starts: pooled after it they agree."""
    trunk_layout: ClassVar[str] = ""
    """Layout of the trunk that it stands on; see ``TrunkOptions``."""

    def fit(self, network: Network) -> None:
        """Get to know the trunk before the layers are laid."""

    def layers(self, channels: int, num_classes: int) -> dict[str, nn.Module]:
        """New layers under the names that the network, and so its checkpoints, give them.

        Args:
            channels: C of the features.
            num_classes: K.
        """
        raise NotImplementedError

    def begin(self, network: Network) -> None:
        """Set first weights that the trunk's way to draw them does not suit."""

    def read(
        self, network: Network, features: Tensor, *, images: Tensor | None = None, targets: Tensor | None = None
    ) -> Output:
        """Features [B,C,h,w] -> output.

        Args:
            network: owner of the layers.
            features: of its trunk.
            images: [B,3,H,W] that they are of, for heads that look at them once more.
            targets: [B], for heads whose forward pass depends on the true class; None outside training.
        """
        raise NotImplementedError

    def projections(self, network: Network, features: Tensor) -> Tensor | None:
        """[B,C,h,w] -> [B,D,h,w]: affine maps of each place's features, of which alone ``read`` makes its output.

        None where it makes it in another way.
        """
        return None

    def of_projections(self, projections: Tensor) -> Output:
        """``projections`` -> what ``read`` returns."""
        raise NotImplementedError

    @classmethod
    def count_classes(cls, state: Mapping[str, Tensor]) -> int | None:
        """K of a state dict with this head's layers; None if they are not there."""
        weight = state.get(f"{cls.class_layers[0]}.weight")
        return None if weight is None or weight.ndim < 2 else len(weight)


def branches(channels: int, num_classes: int) -> dict[str, nn.Module]:
    """g and h, two 1x1 convolutions."""
    return {
        "conv_last": nn.Conv2d(channels, num_classes, kernel_size=1),
        "attention": nn.Sequential(nn.Conv2d(channels, 1, kernel_size=1)),
    }


class CamHead(Head):
    """Class activation mapping: no prior; p(y|x) = softmax(mean_z g)."""

    begins_with_classifier = True

    def layers(self, channels: int, num_classes: int) -> dict[str, nn.Module]:
        """g, and a frozen h: published CAM checkpoints hold it, nothing uses it."""
        layers = branches(channels, num_classes)
        layers["attention"].requires_grad_(False)
        return layers

    def read(
        self, network: Network, features: Tensor, *, images: Tensor | None = None, targets: Tensor | None = None
    ) -> CamOutput:
        """[B,C,h,w] -> CamOutput."""
        return self(network.conv_last(features))

    def projections(self, network: Network, features: Tensor) -> Tensor:
        """g, [B,K,h,w]."""
        return network.conv_last(features)

    def of_projections(self, projections: Tensor) -> CamOutput:
        """g -> CamOutput."""
        return self(projections)

    def __call__(self, class_maps: Tensor) -> CamOutput:
        """g [B,K,h,w] -> CamOutput."""
        return CamOutput(at_least_float32(class_maps))


class CalmHead(Head):
    """p(y|x,z) = softmax over K of g; p(z|x) = activation(h / T) over its sum (paper, Section 4.1.1, where T = 1)."""

    uses_prior = True

    def __init__(
        self, *, prior_activation: str = "softplus", prior_temperature: float = 1.0, detach_prior_sum: bool = False
    ) -> None:
        """Choose the prior.

        Args:
            prior_activation: "softplus" (paper) or "relu" (released code).
            prior_temperature: T > 0; the softplus prior nears the ReLU prior as T falls. Ours, no one else's.
            detach_prior_sum: no gradient through the prior's normaliser, as in the released code.

        Raises:
            UserError: for an unknown activation, or a temperature that is not positive or that changes nothing.
        """
        if prior_activation not in PRIOR_ACTIVATIONS:
            known = ", ".join(PRIOR_ACTIVATIONS)
            raise UserError(f"`prior_activation` {prior_activation!r} is unknown: choose {known}")
        if not 0 < prior_temperature < math.inf:
            raise UserError(f"`prior_temperature`={prior_temperature} should be a positive number")
        if prior_activation == "relu" and prior_temperature != 1:
            raise UserError(
                f"`prior_temperature`={prior_temperature} changes nothing of `prior_activation`=relu, whose cells all "
                "scale alike: leave it out, or choose softplus"
            )
        self.log_activation = PRIOR_ACTIVATIONS[prior_activation]
        self.temperature = prior_temperature
        self.detach_prior_sum = detach_prior_sum

    def layers(self, channels: int, num_classes: int) -> dict[str, nn.Module]:
        """g and h."""
        return branches(channels, num_classes)

    def read(
        self, network: Network, features: Tensor, *, images: Tensor | None = None, targets: Tensor | None = None
    ) -> CalmOutput:
        """[B,C,h,w] -> CalmOutput."""
        return self(network.conv_last(features), network.attention(features))

    def projections(self, network: Network, features: Tensor) -> Tensor:
        """g and h, [B,K+1,h,w]."""
        return torch.cat([network.conv_last(features), network.attention(features)], dim=1)

    def of_projections(self, projections: Tensor) -> CalmOutput:
        """g and h -> CalmOutput."""
        return self(projections[:, :-1], projections[:, -1:])

    def __call__(self, class_logits: Tensor, prior_logits: Tensor) -> CalmOutput:
        """g [B,K,h,w], h [B,1,h,w] -> CalmOutput."""
        log_prior = self.log_activation(at_least_float32(prior_logits) / self.temperature)
        log_total = log_prior.logsumexp(dim=(2, 3), keepdim=True)
        if self.detach_prior_sum:
            log_total = log_total.detach()
        return CalmOutput(at_least_float32(class_logits), log_prior - log_total)
