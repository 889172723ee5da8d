"""How the class probability follows when a score map decides what the network sees of an image.

Drop and increase are of Grad-CAM++ (Chattopadhyay et al., 2018, Section 4), insertion and deletion of RISE (Petsiuk et
al., 2018).
"""

from collections.abc import Callable, Sequence
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


class Curve(NamedTuple):
    """A way from one image to another, and p(y|x) at its ends, [B] each."""

    before: Tensor
    """[B,3,H,W]."""
    after: Tensor
    """What pixels become, the most important first; broadcastable to ``before``."""
    first: Tensor
    last: Tensor


CURVES: dict[str, Callable[[Tensor, Ends], Curve]] = {
    "deletion": lambda images, ends: Curve(images, torch.zeros_like(images[:, :, :1, :1]), ends.full, ends.of_blank),
    "insertion": lambda images, ends: Curve(ends.blurred, images, ends.of_blurred, ends.full),
}
"""Pixels become 0 of the normalised image, or come into a blurred one (RISE, Section 4.2)."""


def curves(
    names: Sequence[str],
    probability: Probability,
    images: Tensor,
    ranks: Tensor,
    ends: Ends,
    steps: int,
    *,
    copies: int = 1,
) -> dict[str, Tensor]:
    """p(y|x) along some of ``CURVES``, name -> [steps+1,B].

    Args:
        names: of the curves, whose steps share passes.
        probability: images -> p(y|x).
        images: [B,3,H,W], normalised.
        ranks: [B,H,W] of ``erasing.rank_by_score``.
        ends: of these images.
        steps: equal shares of the pixels.
        copies: steps that go through the network together.
    """
    ways = [CURVES[name](images, ends) for name in names]
    counts = [step * ranks[0].numel() // steps for step in range(1, steps)]
    pairs = [(_laid_out(way.before), _laid_out(way.after)) for way in ways]
    altered = [(before, after, count) for before, after in pairs for count in counts]
    found = []
    for start in range(0, len(altered), copies):
        some = altered[start : start + copies]
        shown = torch.cat([erase_first(before, ranks, after, count) for before, after, count in some])
        found.extend(probability(shown).split(len(images)))
    n = len(counts)
    return {
        name: torch.stack([way.first, *found[index * n : (index + 1) * n], way.last])
        for index, (name, way) in enumerate(zip(names, ways))
    }


def _laid_out(images: Tensor) -> Tensor:
    """In the layout in which a CPU convolves a large batch in four fifths of the time."""
    return images.contiguous(memory_format=torch.channels_last)


def area(curve: Tensor) -> Tensor:
    """Area under probabilities [n+1,B] taken at equal steps from 0 to 1, by the trapezoid rule; [B]."""
    return torch.trapezoid(curve.double(), dim=0) / (len(curve) - 1)
