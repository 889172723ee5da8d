"""How the class probability follows when a score map decides what the network sees of an image.

Drop and increase are of Grad-CAM++ (Chattopadhyay et al., 2018, Section 4), insertion and deletion of RISE (Petsiuk et
al., 2018).
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from calm.evaluation.pixel_perturb.erasing import erase_first

Probability = Callable[[Tensor], Tensor]
"""One or several altered copies of the batch, one after the other, [n*B,3,H,W] -> p(y|x) of their explained classes,
[n*B]."""


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


class Ends(NamedTuple):
    """What the curves of every map of a batch share: the images at their ends, and p(y|x) there, [B] each."""

    blurred: Tensor
    """[B,3,H,W], the images that insertion starts from."""
    full: Tensor
    """Of the whole images."""
    of_blurred: Tensor
    """Of the blurred ones."""
    of_blank: Tensor
    """Of an image of zeros, which is all that deletion leaves."""


def deletion_curve(
    probability: Probability, images: Tensor, ranks: Tensor, ends: Ends, steps: int, *, copies: int = 1
) -> Tensor:
    """p(y|x) while the pixels go in their order, the most important first; [steps+1,B] (RISE, Section 4.2).

    Erased pixels become 0 of the normalised image.

    Args:
        probability: images -> p(y|x).
        images: [B,3,H,W], normalised.
        ranks: [B,H,W] of ``erasing.rank_by_score``.
        ends: of these images.
        steps: equal shares of the pixels.
        copies: steps that go through the network together.
    """
    blank = torch.zeros_like(images[:, :, :1, :1])
    between = _between(probability, images, blank, ranks, steps, copies)
    return torch.cat([ends.full[None], *between, ends.of_blank[None]])


def insertion_curve(
    probability: Probability, images: Tensor, ranks: Tensor, ends: Ends, steps: int, *, copies: int = 1
) -> Tensor:
    """p(y|x) while the pixels come into a blurred image in their order; [steps+1,B] (RISE, Section 4.2).

    Arguments as of ``deletion_curve``.
    """
    between = _between(probability, ends.blurred, images, ranks, steps, copies)
    return torch.cat([ends.of_blurred[None], *between, ends.full[None]])


def _between(
    probability: Probability, before: Tensor, after: Tensor, ranks: Tensor, steps: int, copies: int
) -> Iterator[Tensor]:
    """p(y|x) at the steps between the ends, [n,B] for up to ``copies`` of them at a time."""
    counts = [step * ranks[0].numel() // steps for step in range(1, steps)]
    for start in range(0, len(counts), copies):
        some = counts[start : start + copies]
        shown = torch.cat([erase_first(before, ranks, after, count) for count in some])
        yield probability(shown).view(len(some), -1)


def area(curve: Tensor) -> Tensor:
    """Area under probabilities [n+1,B] taken at equal steps from 0 to 1, by the trapezoid rule; [B]."""
    return torch.trapezoid(curve.double(), dim=0) / (len(curve) - 1)
