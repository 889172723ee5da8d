"""How the class probability follows when a score map decides what the network sees of an image.

Drop and increase are of Grad-CAM++ (Chattopadhyay et al., 2018, Section 4), insertion and deletion of RISE (Petsiuk et
al., 2018).
"""

from collections.abc import Callable

import torch
from torch import Tensor

from calm.evaluation.pixel_perturb.erasing import erase_first

Probability = Callable[[Tensor], Tensor]
"""Images [B,3,H,W] -> p(y|x) of their explained classes, [B]."""


def drop(full: Tensor, masked: Tensor) -> Tensor:
    """max(0, p - p') / p, [B] in [0,1]: the share of the confidence p that is lost when only the map is shown.

    Args:
        full: [B], p(y|x) of the image.
        masked: [B], p' of the image times its score map.
    """
    return torch.where(full > 0, (full - masked).clamp_min(0) / full, torch.zeros_like(full))


def increase(full: Tensor, masked: Tensor) -> Tensor:
    """1 where showing only the map raised the confidence, else 0; [B] (arguments as of ``drop``)."""
    return (masked > full).to(full.dtype)


def deletion_curve(probability: Probability, images: Tensor, ranks: Tensor, full: Tensor, steps: int) -> Tensor:
    """p(y|x) while the pixels go in their order, the most important first; [steps+1,B] (RISE, Section 4.2).

    Erased pixels become 0 of the normalised image.

    Args:
        probability: images -> p(y|x).
        images: [B,3,H,W], normalised.
        ranks: [B,H,W] of ``erasing.rank_by_score``.
        full: [B], p(y|x) of the whole images.
        steps: equal shares of the pixels.
    """
    fill = torch.zeros_like(images[:, :, :1, :1])
    counts = [step * ranks[0].numel() // steps for step in range(1, steps + 1)]
    return torch.stack([full, *(probability(erase_first(images, ranks, fill, count)) for count in counts)])


def insertion_curve(
    probability: Probability, images: Tensor, blurred: Tensor, ranks: Tensor, full: Tensor, steps: int
) -> Tensor:
    """p(y|x) while the pixels come into a blurred image in their order; [steps+1,B] (RISE, Section 4.2).

    Args:
        probability: images -> p(y|x).
        images: [B,3,H,W], normalised.
        blurred: the same images, blurred.
        ranks: [B,H,W] of ``erasing.rank_by_score``.
        full: [B], p(y|x) of the whole images.
        steps: equal shares of the pixels.
    """
    counts = [step * ranks[0].numel() // steps for step in range(steps)]
    return torch.stack([*(probability(erase_first(blurred, ranks, images, count)) for count in counts), full])


def area(curve: Tensor) -> Tensor:
    """Area under probabilities [n+1,B] taken at equal steps from 0 to 1, by the trapezoid rule; [B]."""
    return torch.trapezoid(curve.double(), dim=0) / (len(curve) - 1)
