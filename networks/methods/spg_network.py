"""Self-produced guidance as a training method: the side branches, their output and what is minimised."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from torch import Tensor, nn

from calm.errors import UserError
from calm.networks.heads import Head, at_least_float32
from calm.networks.methods.base import Loss, Method, Objective
from calm.networks.methods.spg import Thresholds, spg_losses
from calm.networks.outputs import CamOutput

if TYPE_CHECKING:
    from calm.networks.network import GuidancePlaces, Network

C_WIDTH = 512
"""Channels of branch c's hidden layer."""
DEFAULT_THRESHOLDS = (Thresholds(0.7, 0.01), Thresholds(0.5, 0.05), Thresholds(0.7, 0.1))
"""The WSOL benchmark's, for the attention of the class map, of b2, and of both branches."""


class SpgOutput(NamedTuple):
    """CAM's output, and in training what the branches say."""

    class_maps: Tensor
    """[B,K,h,w]."""
    branches: tuple[Tensor, Tensor, Tensor]
    """Logits of b1, b2 and c, [B,1,h',w'] each."""
    size: tuple[int, int]
    """(H, W) of the images."""

    has_prior = False
    class_scores = CamOutput.class_scores
    log_p_y = CamOutput.log_p_y
    score_of = CamOutput.score_of


def spg_loss(
    output: SpgOutput,
    targets: Tensor,
    *,
    thresholds: tuple[Thresholds, Thresholds, Thresholds] = DEFAULT_THRESHOLDS,
) -> Tensor:
    """Sum of the four losses of ``spg_losses``, of an output in training mode."""
    losses = spg_losses(output.class_maps, output.branches, targets, size=output.size, thresholds=thresholds)
    return losses.classes + losses.b1 + losses.b2 + losses.c


class SpgHead(Head):
    """CAM's class branch, and on earlier features b1 and b2, which share two layers, and c on the last ones.

    The branches are computed in training only; the map of a class is CAM's.
    """

    trunk_layout = "spg"
    places: GuidancePlaces

    def fit(self, network: Network) -> None:
        """Watch the trunk's two earlier places.

        Raises:
            UserError: for a trunk that names none.
        """
        if network.guidance_places is None:
            raise UserError(f"SPG's places are not defined for `architecture`={network.architecture}: choose another")
        self.places = network.guidance_places
        self.seen: dict[str, Tensor] = {}
        modules = dict(network.named_modules())
        for place in (self.places.first, self.places.second):
            modules[place].register_forward_hook(partial(self._see, place))

    def _see(self, place: str, module: nn.Module, inputs: tuple[Tensor, ...], features: Tensor) -> None:
        if self.shared.training:  # the place itself is in evaluation mode where the trunk is frozen
            self.seen[place] = features

    def layers(self, channels: int, num_classes: int) -> dict[str, nn.Module]:
        """``conv_last``, ``SPG_B_1a``, ``SPG_B_2a``, ``SPG_B_shared``, ``SPG_C``."""
        places, width = self.places, self.places.width
        self.shared = one_logit(width, width)
        return {
            "conv_last": nn.Conv2d(channels, num_classes, 1),
            "SPG_B_1a": nn.Sequential(nn.Conv2d(places.first_channels, width, 3, padding=1), nn.ReLU()),
            "SPG_B_2a": nn.Sequential(nn.Conv2d(places.second_channels, width, 3, padding=1), nn.ReLU()),
            "SPG_B_shared": self.shared,
            "SPG_C": one_logit(channels, C_WIDTH),
        }

    def read(
        self, network: Network, features: Tensor, *, images: Tensor | None = None, targets: Tensor | None = None
    ) -> SpgOutput | CamOutput:
        """[B,C,h,w] -> SpgOutput in training, of which the images give the size; else CamOutput."""
        class_maps = at_least_float32(network.conv_last(features))
        if not network.training:
            return CamOutput(class_maps)
        first, second = (self.seen.pop(place).to(features.dtype) for place in (self.places.first, self.places.second))
        b1, b2, shared, c = map(network.get_submodule, ("SPG_B_1a", "SPG_B_2a", "SPG_B_shared", "SPG_C"))
        branches = (
            at_least_float32(shared(b1(first))),
            at_least_float32(shared(b2(second))),
            at_least_float32(c(features)),
        )
        height, width = (features if images is None else images).shape[2:]
        return SpgOutput(class_maps, branches, (height, width))


def one_logit(channels: int, width: int) -> nn.Sequential:
    """3x3 convolution, ReLU, 1x1 convolution to one channel."""
    return nn.Sequential(nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, 1, 1))


class SpgObjective(Objective):
    """``spg_loss`` with thresholds; numbers 1 to 3 teach b2, b1 and c, h is high and l low."""

    def __init__(
        self,
        loss: Loss,
        network: nn.Module,
        *,
        spg_threshold_1h: float = DEFAULT_THRESHOLDS[0].high,
        spg_threshold_1l: float = DEFAULT_THRESHOLDS[0].low,
        spg_threshold_2h: float = DEFAULT_THRESHOLDS[1].high,
        spg_threshold_2l: float = DEFAULT_THRESHOLDS[1].low,
        spg_threshold_3h: float = DEFAULT_THRESHOLDS[2].high,
        spg_threshold_3l: float = DEFAULT_THRESHOLDS[2].low,
    ) -> None:
        """Bind the thresholds.

        Raises:
            UserError: for a threshold outside [0, 1], or a low one above its high one.
        """
        thresholds = (
            Thresholds(spg_threshold_1h, spg_threshold_1l),
            Thresholds(spg_threshold_2h, spg_threshold_2l),
            Thresholds(spg_threshold_3h, spg_threshold_3l),
        )
        for number, (high, low) in enumerate(thresholds, start=1):
            names = f"`spg_threshold_{number}l`={low} and `spg_threshold_{number}h`={high}"
            if not 0 <= low <= high <= 1:
                raise UserError(f"{names} should lie in [0, 1], the first not above the second")
        super().__init__(partial(loss, thresholds=thresholds), network)


SPG = Method(SpgHead, spg_loss, SpgObjective)
