"""Heads: the last features' class logits g and prior logits h -> an output in log space, in float32 or better."""

from collections.abc import Callable
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from calm.networks.outputs import CalmOutput, CamOutput

PRIOR_FLOOR = 1e-30
"""Least value of the unnormalised ReLU prior, so that a prior of all zeros is uniform instead of 0/0."""


def _at_least_float32(x: Tensor) -> Tensor:
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


class CamHead:
    """Class activation mapping: no prior; p(y|x) = softmax(mean_z g)."""

    uses_prior: ClassVar[bool] = False

    def __init__(self, *, prior_activation: str = "softplus", detach_prior_sum: bool = False) -> None:
        """The options belong to CALM's prior; CAM has none and takes them only to be built alike."""

    def __call__(self, class_maps: Tensor) -> CamOutput:
        """[B,K,h,w] -> CamOutput."""
        return CamOutput(_at_least_float32(class_maps))


class CalmHead:
    """p(y|x,z) = softmax over K of g; p(z|x) = activation(h) over its sum (paper, Section 4.1.1)."""

    uses_prior: ClassVar[bool] = True

    def __init__(self, *, prior_activation: str = "softplus", detach_prior_sum: bool = False) -> None:
        """Choose the prior.

        Args:
            prior_activation: "softplus" (paper) or "relu" (released code).
            detach_prior_sum: no gradient through the prior's normaliser, as in the released code.
        """
        self.log_activation = PRIOR_ACTIVATIONS[prior_activation]
        self.detach_prior_sum = detach_prior_sum

    def __call__(self, class_logits: Tensor, prior_logits: Tensor) -> CalmOutput:
        """[B,K,h,w], [B,1,h,w] -> CalmOutput."""
        log_prior = self.log_activation(_at_least_float32(prior_logits))
        log_total = log_prior.logsumexp(dim=(2, 3), keepdim=True)
        if self.detach_prior_sum:
            log_total = log_total.detach()
        return CalmOutput(_at_least_float32(class_logits), log_prior - log_total)
