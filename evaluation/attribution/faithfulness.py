"""How the class probability follows when a score map decides what the network sees of an image."""

from collections.abc import Callable

import torch
from torch import Tensor

from calm.attribution.score_map import normalize, resize
from calm.evaluation.attribution.metrics import area, drop, increase, localisation
from calm.evaluation.pixel_perturb.erasing import blur, erase_first, rank_by_score

Probability = Callable[[Tensor], Tensor]
"""Images [B,3,H,W] -> p(y|x) of their explained classes, [B]."""


def deletion_curve(probability: Probability, images: Tensor, ranks: Tensor, full: Tensor, steps: int) -> Tensor:
    """p(y|x) while the pixels go in their order, the most important first; [steps+1,B] (RISE, Section 4.2).

    Erased pixels become 0 of the normalised image.

    Args:
        probability: images -> p(y|x).
        images: [B,3,H,W], normalised.
        ranks: [B,H,W] of ``perturbation.rank_by_score``.
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
        ranks: [B,H,W] of ``perturbation.rank_by_score``.
        full: [B], p(y|x) of the whole images.
        steps: equal shares of the pixels.
    """
    counts = [step * ranks[0].numel() // steps for step in range(steps)]
    return torch.stack([*(probability(erase_first(blurred, ranks, images, count)) for count in counts), full])


@torch.inference_mode()
def faithfulness(
    probability: Probability, images: Tensor, score_maps: Tensor, ranks: Tensor, full: Tensor, *, steps: int
) -> dict[str, Tensor]:
    """average_drop, increase, insertion and deletion, each [B]; 2 * steps forward passes, and none for ``full``.

    The masked image is the normalised image times its score map, so that what the map leaves out fades to the mean
    colour. The blur is that of remove-and-classify.

    Args:
        probability: images -> p(y|x).
        images: [B,3,H,W], normalised.
        score_maps: [B,H,W] in [0,1].
        ranks: [B,H,W] of ``perturbation.rank_by_score``.
        full: [B], p(y|x) of the whole images.
        steps: equal shares of the pixels in the insertion and deletion curves.
    """
    masked = probability(images * score_maps[:, None].to(images.dtype))
    return {
        "average_drop": drop(full, masked),
        "increase": increase(full, masked),
        "insertion": area(insertion_curve(probability, images, blur(images), ranks, full, steps)),
        "deletion": area(deletion_curve(probability, images, ranks, full, steps)),
    }


def judge(
    probability: Probability,
    images: Tensor,
    maps: Tensor,
    regions: Tensor,
    full: Tensor,
    *,
    steps: int,
    norm_type: str = "minmax",
) -> dict[str, Tensor]:
    """Every number of ``attribution_metrics.COLUMNS`` for a batch, each [B].

    Pixels are ordered by the raw map; what is shown, and what is compared with the region, is the score map.

    Args:
        probability: images -> p(y|x).
        images: [B,3,H,W], normalised.
        maps: [B,h,w] raw maps of the explained classes.
        regions: [B,H,W], True where the object is.
        full: [B], p(y|x) of the whole images.
        steps: of ``faithfulness``.
        norm_type: of ``attribution.score_map.normalize``.
    """
    size = (images.shape[2], images.shape[3])
    resized = resize(maps.double(), size).float()  # in float64, so that rounding marks no pixel of a flat part
    score_maps = normalize(resized, norm_type)
    values = faithfulness(probability, images, score_maps, rank_by_score(resized, size), full, steps=steps)
    return values | localisation(score_maps, regions)
