"""InCA-like: our reading of the abstract of In-sample Contrastive Attention (Ki, Uh, Lee and Byun, ACCV 2020).

Its formulas, thresholds and weights are not public. Known is that it has non-local attention blocks, a loss that keeps
the foreground without its most discriminative region near the whole foreground and far from the background, and one
that pulls the attention of earlier layers to that of the last. How each is written here is ours, as are the numbers;
results of this method are not results of InCA.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from calm.errors import UserError
from calm.networks.heads import Head, at_least_float32
from calm.networks.methods.base import Loss, Method, Objective
from calm.networks.methods.cam import cam_loss
from calm.networks.methods.min_max import min_max
from calm.networks.methods.non_local import NonLocalBlock
from calm.networks.outputs import CamOutput

if TYPE_CHECKING:
    from calm.networks.network import Network


class Regions(NamedTuple):
    """Limits on an attention in [0,1]: ``background`` <= ``foreground`` < ``drop``."""

    background: float = 0.2
    """Below it is background."""
    foreground: float = 0.4
    """Above it is foreground."""
    drop: float = 0.8
    """Above it is the most discriminative region, which is dropped."""


REGIONS, MARGIN = Regions(), 0.3


def attention_of(features: Tensor) -> Tensor:
    """[B,C,h,w] -> [B,h,w] in [0,1]: the mean over the channels, stretched over the image; a constant one is 0."""
    return min_max(at_least_float32(features).mean(dim=1))


def region_feature(features: Tensor, mask: Tensor) -> Tensor:
    """Mean of [B,C,h,w] over the cells of a bool mask [B,h,w], of length 1: [B,C]; zeros where the mask is empty."""
    inside = mask[:, None].to(features.dtype)
    mean = (features * inside).sum(dim=(2, 3)) / inside.sum(dim=(2, 3)).clamp_min(1)
    return F.normalize(mean, dim=1)


def contrastive_loss(features: Tensor, regions: Regions, margin: float) -> Tensor:
    """Mean over the images of max(0, |z_fg - z_dfg|^2 - |z_dfg - z_bg|^2 + margin), z the features of a region.

    fg is the foreground, dfg the same without what is dropped, bg the background. An image that lacks one counts as 0.

    Args:
        features: [B,C,h,w] at one place; the regions follow their attention, without gradient.
        regions: limits.
        margin: by which the background should be farther away.
    """
    features = at_least_float32(features)
    attention = attention_of(features.detach())
    foreground, background = attention > regions.foreground, attention < regions.background
    kept = foreground & (attention <= regions.drop)
    of_all, of_kept, of_rest = (region_feature(features, mask) for mask in (foreground, kept, background))
    losses = F.relu((of_all - of_kept).square().sum(dim=1) - (of_kept - of_rest).square().sum(dim=1) + margin)
    is_whole = kept.any(dim=2).any(dim=1) & background.any(dim=2).any(dim=1)
    return (losses * is_whole).mean()


def consistency_loss(early: Tensor, late: Tensor, regions: Regions) -> Tensor:
    """Mean of (A_early - A_late)^2 over all cells of the batch that are foreground of A_late; 0 where none is.

    Args:
        early: attention of an earlier place, [B,h,w].
        late: of the last one, [B,h',w'], resized bilinearly to h x w; it is the reference and gets no gradient.
        regions: limits.
    """
    reference = F.interpolate(late.detach()[:, None], early.shape[1:], mode="bilinear", align_corners=False)[:, 0]
    foreground = (reference > regions.foreground).to(early.dtype)
    return ((early - reference).square() * foreground).sum() / foreground.sum().clamp_min(1)


class IncaOutput(NamedTuple):
    """CAM's output, and in training the features behind each block."""

    class_maps: Tensor
    """[B,K,h,w]."""
    places: tuple[Tensor, ...]
    """[B,C',h',w'] each, the last place last."""

    has_prior = False
    class_scores = CamOutput.class_scores
    log_p_y = CamOutput.log_p_y
    score_of = CamOutput.score_of


class IncaHead(Head):
    """CAM's class branch, and a non-local block behind each of the places where ADL's layer stands."""

    def fit(self, network: Network) -> None:
        """Hang a block behind every place.

        Raises:
            UserError: for a trunk that names none.
        """
        self.places = dict(network.dropout_places)
        if not self.places:
            raise UserError(
                f"InCA_like's places are not defined for `architecture`={network.architecture}: choose another"
            )
        self.seen: dict[str, Tensor] = {}
        modules = dict(network.named_modules())
        for number, place in enumerate(self.places, start=1):
            modules[place].register_forward_hook(partial(self._attend, f"inca_{number}"))

    def _attend(self, block: str, module: nn.Module, inputs: tuple[Tensor, ...], features: Tensor) -> Tensor:
        features = self.blocks[block](features)
        if self.blocks[block].training:
            self.seen[block] = features
        return features

    def layers(self, channels: int, num_classes: int) -> dict[str, nn.Module]:
        """``conv_last``, ``inca_1``, ``inca_2``, ..."""
        sizes = enumerate(self.places.values(), start=1)
        self.blocks = {f"inca_{number}": NonLocalBlock(size) for number, size in sizes}
        return {"conv_last": nn.Conv2d(channels, num_classes, 1), **self.blocks}

    def begin(self, network: Network) -> None:
        """Every block passes its features on as they are."""
        for block in self.blocks.values():
            block.begin_as_identity()

    def read(
        self, network: Network, features: Tensor, *, images: Tensor | None = None, targets: Tensor | None = None
    ) -> IncaOutput | CamOutput:
        """[B,C,h,w] -> IncaOutput in training, else CamOutput."""
        class_maps = at_least_float32(network.conv_last(features))
        if not network.training:
            return CamOutput(class_maps)
        return IncaOutput(class_maps, tuple(self.seen.pop(block) for block in self.blocks))


def inca_loss(output: IncaOutput, targets: Tensor, *, regions: Regions = REGIONS, margin: float = MARGIN) -> Tensor:
    """Cross entropy, plus the mean of the places' contrastive losses, plus that of the earlier ones' consistency."""
    contrast = torch.stack([contrastive_loss(features, regions, margin) for features in output.places]).mean()
    *early, late = (attention_of(features) for features in output.places)
    consistency = [consistency_loss(attention, late, regions) for attention in early]
    return cam_loss(output, targets) + contrast + (torch.stack(consistency).mean() if consistency else 0)


class IncaObjective(Objective):
    """``inca_loss`` with the limits of the regions and the margin, all of them our choice."""

    def __init__(
        self,
        loss: Loss,
        network: nn.Module,
        *,
        inca_background: float = REGIONS.background,
        inca_foreground: float = REGIONS.foreground,
        inca_drop: float = REGIONS.drop,
        inca_margin: float = MARGIN,
    ) -> None:
        """Bind the limits.

        Raises:
            UserError: for limits outside [0, 1] or out of order, or a negative margin.
        """
        if not 0 <= inca_background <= inca_foreground < inca_drop <= 1:
            raise UserError(
                f"`inca_background`={inca_background}, `inca_foreground`={inca_foreground} and "
                f"`inca_drop`={inca_drop} should lie in [0, 1] in this order, the last two apart"
            )
        if inca_margin < 0:
            raise UserError(f"`inca_margin`={inca_margin} should not be negative")
        regions = Regions(inca_background, inca_foreground, inca_drop)
        super().__init__(partial(loss, regions=regions, margin=inca_margin), network)


INCA_LIKE = Method(IncaHead, inca_loss, IncaObjective)
