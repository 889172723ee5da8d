"""CALM_EM: CALM trained by expectation maximisation (paper, Section 4.1.2), with theta' current or lagging."""

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from calm.networks.heads import CalmHead
from calm.networks.methods.base import Loss, Method, Objective
from calm.networks.outputs import CalmOutput, posterior_over_cells


def em_loss(output: CalmOutput, targets: Tensor, teacher_posterior: Tensor | None = None) -> Tensor:
    """-sum_z q_z log p(y,z|x), averaged over the batch (paper, Eq. 6).

    Args:
        output: of the network with parameters theta.
        targets: [B] class indices.
        teacher_posterior: q = p'(z|x,y) [B,h,w] under theta'. None takes theta' = theta, as the paper does in
            practice; the gradient is then that of the marginal likelihood (Fisher's identity).
    """
    log_joint = output.log_joint_of(targets)
    q = posterior_over_cells(log_joint.detach()) if teacher_posterior is None else teacher_posterior
    return -(q * log_joint).sum(dim=(1, 2)).mean()


class EmObjective(Objective):
    """Eq. 6; where theta' lags behind it is a moving average of the network, kept here and in the checkpoint."""

    ENTRY = "teacher_state_dict"

    def __init__(
        self, loss: Loss, network: nn.Module, *, em_target: str = "current", em_momentum: float = 0.999
    ) -> None:
        """Choose theta'.

        Args:
            loss: ``em_loss``, (output, targets, posterior or None) -> scalar.
            network: see ``Objective``.
            em_target: "current", the parameters themselves (paper), or "ema", their moving average.
            em_momentum: of the average, in [0, 1).
        """
        super().__init__(loss, network)
        self.momentum = em_momentum
        self.average = None
        if em_target == "ema":
            self.average = copy.deepcopy(network).eval().requires_grad_(False)
            vars(self.average)["must_be_finite"] = False  # a divergence shows in the loss, in every process

    def __call__(self, network: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
        """Eq. 6 for one batch, q from theta'."""
        q = None
        if self.average is not None:
            with torch.no_grad():
                q = posterior_over_cells(self.average(images).log_joint_of(targets))
        return self.loss(network(images), targets, q)

    @torch.no_grad()
    def after_step(self, network: nn.Module) -> None:
        """theta' <- momentum theta' + (1 - momentum) theta; batch-norm statistics are copied."""
        if self.average is None:
            return
        follow = get_ema_multi_avg_fn(self.momentum)  # all parameters in one launch, as far as the device can
        follow([*self.average.parameters()], [*network.parameters()], self.momentum)
        for mine, theirs in zip(self.average.buffers(), network.buffers(), strict=True):
            mine.copy_(theirs)

    def state_dict(self) -> dict[str, Any]:
        """The average's weights, where there is one."""
        return {} if self.average is None else {self.ENTRY: self.average.state_dict()}

    def load_state_dict(self, content: Mapping[str, Any]) -> None:
        """Continue from ``state_dict``."""
        if self.average is not None:
            self.average.load_state_dict(content[self.ENTRY])


CALM_EM = Method(CalmHead, em_loss, EmObjective, default_map="joint")
