"""What a training method is: a record of its head, its loss and its objective."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from torch import Tensor, nn

from calm.networks.heads import Head

Loss = Callable[..., Tensor]
"""(output, targets [B]) -> scalar."""


class Objective:
    """What a step of training minimises; it runs the network itself and may keep a state of its own.

    The options of an objective are the keyword-only parameters of its ``__init__``, named like the flags that set them.
    """

    def __init__(self, loss: Loss, network: nn.Module) -> None:
        """Prepare to train.

        Args:
            loss: of the method.
            network: that will be trained, on its device, not yet wrapped for several processes.
        """
        self.loss = loss

    def __call__(self, network: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
        """The scalar to minimise for one batch.

        Args:
            network: in training mode; wrapped where several processes train, so call it and no part of it.
            images: [B,3,H,W] normalised.
            targets: [B] class indices.
        """
        return self.loss(network(images), targets)

    def check(self, images: int, size: int) -> None:
        """Refuse, before the first epoch, what the objective cannot train on.

        Args:
            images: of a full batch.
            size: side of the images, pixels.

        Raises:
            UserError: it cannot.
        """

    def after_step(self, network: nn.Module) -> None:
        """Follow the network, not wrapped, after the optimizer changed it."""

    def state_dict(self) -> dict[str, Any]:
        """Entries that a checkpoint keeps for the objective, under names that no other entry has."""
        return {}

    def load_state_dict(self, content: Mapping[str, Any]) -> None:
        """Continue from a checkpoint's entries, the objective's own among them."""


class Method(NamedTuple):
    """A way to train."""

    head: type[Head]
    """Called with its options."""
    loss: Loss
    objective: type[Objective] = Objective
    """Called with (loss, network) and its options."""
    default_map: str = "cam"
    """Name of the attribution that comes with the method."""

    @property
    def needs_prior(self) -> bool:
        """Whether its networks have a prior p(z|x)."""
        return self.head.uses_prior
