"""Interpretable-gradient loss (Torres Figueroa et al., VISAPP 2024): gradients that look like guided ones.

Added to a training loss, it pulls the ordinary gradient of that loss by the image towards the gradient of guided
backpropagation, which is taken as fixed.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from calm.errors import UserError
from calm.networks.guided_relu import GuidedReLU
from calm.networks.methods.base import Objective


def cosine(gradients: Tensor, guided: Tensor) -> Tensor:
    """1 - cosine of the angle between [B,N] rows, [B]; a row of zeros counts as a right angle."""
    return 1 - F.cosine_similarity(gradients, guided, dim=1)


def mae(gradients: Tensor, guided: Tensor) -> Tensor:
    """Mean absolute difference of [B,N] rows, [B]."""
    return (gradients - guided).abs().mean(dim=1)


def mse(gradients: Tensor, guided: Tensor) -> Tensor:
    """Mean square difference of [B,N] rows, [B]."""
    return (gradients - guided).square().mean(dim=1)


GRADIENT_LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"cosine": cosine, "mae": mae, "mse": mse}
"""name -> distance of two rows."""


def gradient_distance(gradients: Tensor, guided: Tensor, kind: str) -> Tensor:
    """Mean over the batch of the distance between an image's two gradients; a scalar in float32 or better.

    Args:
        gradients: of the *mean* loss over the batch, [B,3,H,W], with graph; both are multiplied by B first, so that
            "mae" and "mse" do not depend on the batch's size ("cosine" does not anyway).
        guided: [B,3,H,W]; taken as fixed.
        kind: a key of ``GRADIENT_LOSSES``.
    """
    if kind not in GRADIENT_LOSSES:
        raise UserError(f"`gradient_loss` {kind!r} is unknown: choose {', '.join(GRADIENT_LOSSES)}")
    batch = len(gradients)
    rows = [g.to(torch.promote_types(g.dtype, torch.float32)).flatten(1) * batch for g in (gradients, guided.detach())]
    return GRADIENT_LOSSES[kind](*rows).mean()


def gradient_loss(loss: Tensor, images: Tensor, relus: GuidedReLU, kind: str) -> Tensor:
    """The distance of ``loss``'s two gradients by the images, from the one forward pass that made it.

    Args:
        loss: mean over the batch, computed from ``images`` within ``relus``.
        images: [B,3,H,W], requiring a gradient.
        relus: the context of that forward pass; left with the ordinary rule.
        kind: "cosine" (the paper's best), "mae" or "mse".
    """
    relus.guided = True
    (guided,) = torch.autograd.grad(loss, images, retain_graph=True)
    relus.guided = False
    (gradients,) = torch.autograd.grad(loss, images, create_graph=True)
    return gradient_distance(gradients, guided, kind)


class WithGradientLoss(Objective):
    """Another objective plus ``weight`` times the ``gradient_loss`` of its loss; two to three times its cost."""

    def __init__(self, objective: Objective, *, gradient_loss: str, gradient_loss_weight: float = 7.5e-3) -> None:
        """Wrap an objective.

        Args:
            objective: its loss is a mean over the batch.
            gradient_loss: a key of ``GRADIENT_LOSSES``.
            gradient_loss_weight: lambda; the default is the paper's for "cosine".

        Raises:
            UserError: for an unknown distance.
        """
        if gradient_loss not in GRADIENT_LOSSES:
            raise UserError(f"`gradient_loss` {gradient_loss!r} is unknown: choose {', '.join(GRADIENT_LOSSES)}")
        self.objective, self.kind, self.weight = objective, gradient_loss, gradient_loss_weight

    def __call__(self, network: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
        """The objective's loss and the weighted distance, from one forward pass."""
        images = images.detach().clone().requires_grad_(True)
        with GuidedReLU() as relus:
            loss = self.objective(network, images, targets)
            distance = gradient_loss(loss, images, relus, self.kind)
        return loss + self.weight * distance

    def check(self, images: int, size: int) -> None:
        """The objective's."""
        self.objective.check(images, size)

    def after_step(self, network: nn.Module) -> None:
        """The objective's."""
        self.objective.after_step(network)

    def state_dict(self) -> dict[str, Any]:
        """The objective's."""
        return self.objective.state_dict()

    def load_state_dict(self, content: Mapping[str, Any]) -> None:
        """The objective's."""
        self.objective.load_state_dict(content)
