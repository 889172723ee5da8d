"""theta' of CALM_EM's Eq. 6 where it lags behind: a moving average of the network."""

import torch
from torch import Tensor, nn

from calm.networks.losses import posterior


class Teacher:
    """theta' of Eq. 6 as a moving average of the network's parameters; its posterior is EM's pseudo-target."""

    def __init__(self, average: nn.Module, momentum: float) -> None:
        """``average`` is a copy of the network, updated here in place and never trained."""
        self.average = average.eval().requires_grad_(False)
        self.momentum = momentum

    @torch.no_grad()
    def posterior(self, images: Tensor, targets: Tensor) -> Tensor:
        """p'(z|x,y), [B,h,w]."""
        return posterior(self.average(images).log_joint_of(targets))

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """theta' <- momentum theta' + (1 - momentum) theta; batch-norm statistics are copied."""
        for mine, theirs in zip(self.average.parameters(), network.parameters(), strict=True):
            mine.lerp_(theirs, 1 - self.momentum)
        for mine, theirs in zip(self.average.buffers(), network.buffers(), strict=True):
            mine.copy_(theirs)
