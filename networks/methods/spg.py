"""Self-produced guidance (Zhang et al., ECCV 2018): foreground branches taught by the network's own sure cells.

Each of three branches b1, b2, c gives one logit per cell. A map in [0,1] that the network made, its attention, says
which pixels are surely object and which surely background; the branch learns these by binary cross entropy.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from calm.networks.methods.min_max import min_max

FEWEST_PIXELS = 30
"""With fewer pixels above the high threshold in an image it becomes ``FALLBACK`` times the attention's maximum."""
FALLBACK = 0.7


class Thresholds(NamedTuple):
    """Of one branch, in [0,1], low <= high: above high is object, below low background, the rest is ignored."""

    high: float
    low: float


class Guidance(NamedTuple):
    """What a branch should say, [B,H,W]: ``is_object`` 0 or 1 where ``is_known``."""

    is_object: Tensor
    is_known: Tensor


def guidance(attention: Tensor, thresholds: Thresholds) -> Guidance:
    """Sure pixels of an attention map [B,H,W]; background wins where the thresholds overlap. No gradient.

    A pixel equal to a threshold is ignored. For the rule of few pixels see ``FEWEST_PIXELS``.
    """
    attention = attention.detach()
    few = (attention > thresholds.high).sum(dim=(1, 2), keepdim=True) < FEWEST_PIXELS
    fallback = FALLBACK * attention.amax(dim=(1, 2), keepdim=True)
    high = torch.where(few, fallback, torch.full_like(fallback, thresholds.high))
    is_background = attention < thresholds.low
    is_object = (attention > high) & ~is_background
    return Guidance(is_object.to(attention.dtype), is_object | is_background)


def enlarged(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """[B,h,w] -> [B,H,W], bilinear, cell centres aligned."""
    return F.interpolate(maps[:, None], size=size, mode="bilinear", align_corners=False)[:, 0]


def fused_attention(b1: Tensor, b2: Tensor) -> Tensor:
    """Mean of both branches' probabilities, from their enlarged logits [B,H,W]."""
    return (b1.sigmoid() + b2.sigmoid()) / 2


def guided_loss(logits: Tensor, taught: Guidance) -> Tensor:
    """Binary cross entropy of [B,H,W] logits, mean over all known pixels of the batch; 0 where none is known."""
    losses = F.binary_cross_entropy_with_logits(logits, taught.is_object, reduction="none")
    losses = torch.where(taught.is_known, losses, torch.zeros_like(losses))
    return losses.sum() / taught.is_known.sum().clamp_min(1)


class SpgParts(NamedTuple):
    """The four losses; SPG's is their sum."""

    classes: Tensor
    b1: Tensor
    b2: Tensor
    c: Tensor


def spg_losses(
    class_maps: Tensor,
    branches: tuple[Tensor, Tensor, Tensor],
    targets: Tensor,
    *,
    size: tuple[int, int],
    thresholds: tuple[Thresholds, Thresholds, Thresholds],
) -> SpgParts:
    """The losses by part.

    Args:
        class_maps: [B,K,h,w]; their mean over the cells is the class score, the target's map is the first attention.
        branches: logits of b1, b2 and c, [B,1,h',w'] each, of any grids.
        targets: [B] class indices.
        size: (H, W) of the images, where masks and branches are compared.
        thresholds: of the class map's attention (teaches b2), of b2's (teaches b1), of the fused one (teaches c).
    """
    b1, b2, c = (enlarged(branch[:, 0], size) for branch in branches)
    own = class_maps.detach()[torch.arange(len(targets), device=class_maps.device), targets]
    of_class, of_b2, of_both = thresholds
    return SpgParts(
        classes=F.cross_entropy(class_maps.mean(dim=(2, 3)), targets),
        b1=guided_loss(b1, guidance(b2.sigmoid(), of_b2)),
        b2=guided_loss(b2, guidance(min_max(enlarged(own, size)), of_class)),
        c=guided_loss(c, guidance(fused_attention(b1, b2), of_both)),
    )
