"""The evaluations as functions of maps that any library made, NumPy arrays or tensors.

    ratios = calm.metrics.remove_and_classify(network, images, targets, maps)
    found = calm.metrics.max_box_acc(maps, boxes, size=(224, 224))

Maps are [N,h,w] or [N,1,h,w] in any unit and of any size; they are resized to the images, the masks or ``size``. A
network is any callable that maps images [B,3,H,W] to class scores [B,K] (or a network of ours). Nothing is measured
here: these are doors to what the ``eval_*`` scripts measure with. ``MaxBoxAcc`` and ``PxAP`` count image by image, for
maps that are not in memory together.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from calm.arguments import check_count, check_images, check_targets
from calm.attribution.score_map import NORMALIZATIONS
from calm.errors import UserError
from calm.evaluation.attribution.comparison import blank_of, ends_of, probability_of
from calm.evaluation.attribution.faithfulness import area, curves
from calm.evaluation.attribution.measures import LOCATIONS
from calm.evaluation.cue_location.scores import TO_SCORE_MAP, cue_score
from calm.evaluation.metrics import PerturbationRatio
from calm.evaluation.pixel_perturb.erasing import PERCENTAGES, image_keys, rank_by_score
from calm.evaluation.pixel_perturb.erasing import remove_and_classify as reclassified
from calm.foreign import Maps, Network, as_boxes, as_labels, as_log_p_y, as_maps, as_masks, as_score_maps, as_size
from calm.wsol_eval import MaxBoxAcc, PxAP
from calm.wsol_eval.pixel_ap import PixelScores, exact_curve

__all__ = [
    "MaxBoxAcc",
    "PxAP",
    "cue_localisation",
    "deletion",
    "insertion",
    "max_box_acc",
    "pointing",
    "pxap",
    "remove_and_classify",
]


def remove_and_classify(
    network: Network,
    images: Tensor,
    targets: Tensor,
    maps: Maps,
    *,
    erase: str = "blur",
    seed: int = 0,
    batch_size: int = 32,
) -> dict[str, float]:
    """Accuracies after erasing 10 ... 90 % of the pixels, A_k by the maps and Ar_k at random, in percent, and
    R_k = A_k / Ar_k; a lower R_k is better, 1 is what erasing at random gets (paper, Section 5.3).

    Args:
        network: classifies.
        images: [N,3,H,W], normalised, on the network's device.
        targets: [N] true classes.
        maps: of the true classes.
        erase: "blur", "zero", "mean" or "noise".
        seed: of the random order.
        batch_size: images a pass.
    """
    targets = _checked(network, images, targets, batch_size)
    values, ratio = as_maps(maps, len(images)).to(images.device), PerturbationRatio(PERCENTAGES)

    def classify(batch: Tensor) -> Tensor:
        return as_log_p_y(network, batch).argmax(dim=1)

    for some in torch.arange(len(images)).split(batch_size):
        keys = image_keys([str(index) for index in some.tolist()], seed=seed, device=images.device)
        erased = reclassified(classify, images[some], values[some], keys, erase=erase)
        ratio.update(targets[some], classify(images[some]), erased.ranked, erased.random)
    return ratio.compute()


def insertion(
    network: Network, images: Tensor, targets: Tensor, maps: Maps, *, steps: int = 50, batch_size: int = 32
) -> float:
    """Mean area under p(y|x) while the pixels come into a blurred image, the most important first (RISE); higher is
    better. Arguments as of ``remove_and_classify``; ``steps`` are equal shares of the pixels."""
    return _mean_of("insertion", network, images, targets, maps, steps, batch_size)


def deletion(
    network: Network, images: Tensor, targets: Tensor, maps: Maps, *, steps: int = 50, batch_size: int = 32
) -> float:
    """The same while the pixels become 0, the mean colour; lower is better."""
    return _mean_of("deletion", network, images, targets, maps, steps, batch_size)


@torch.inference_mode()
def _mean_of(
    name: str, network: Network, images: Tensor, targets: Tensor, maps: Maps, steps: int, batch_size: int
) -> float:
    targets = _checked(network, images, targets, batch_size)
    check_count(steps, name="steps")
    values, areas = as_maps(maps, len(images)).to(images.device), []
    log_p_y, (height, width) = partial(as_log_p_y, network), images.shape[2:]
    for some in torch.arange(len(images)).split(batch_size):
        shown, classes = images[some], targets[some]
        ends = ends_of(shown, log_p_y(shown), blank_of(shown, log_p_y), classes, log_p_y)
        ranks = rank_by_score(values[some], (height, width))
        areas.append(area(curves([name], probability_of(log_p_y, classes), shown, ranks, ends, steps)[name]))
    return float(torch.cat(areas).mean())


def _checked(network: Network, images: Tensor, targets: Tensor, batch_size: int) -> Tensor:
    """The targets on the images' device, when every argument is what it should be; else a ``UserError``."""
    check_count(batch_size, name="batch_size")
    check_images(images, channels=None)
    return check_targets(targets, images, as_log_p_y(network, images[:1]).shape[1])


def pointing(maps: Maps, masks: Maps) -> float:
    """The pointing game: how often the highest value lies in the mask, in percent; images without a mask do not count.

    Args:
        maps: of N images.
        masks: [N,H,W], true where the object or the cue is.
    """
    regions = as_masks(masks)
    scores = as_score_maps(maps, regions.shape[1:], "minmax", len(regions))
    return 100 * float(LOCATIONS["pointing"](scores, regions).nanmean())


def pxap(maps: Maps, masks: Maps, *, norm_type: str = "minmax", interval: float = 0.001) -> float:
    """PxAP over all pixels of all images, in percent (WSOL benchmark); a constant map gets the share of object pixels.

    Args:
        maps: of N images.
        masks: [N,H,W], 1 object, 0 background, 255 ignored.
        norm_type: "minmax", "max" (Eq. 2) or "clipping", for probabilities.
        interval: width of the bins.
    """
    if not 0 < interval <= 1:
        raise UserError(f"`interval`={interval} should be above 0 and at most 1")
    truth, metric = as_labels(masks), PxAP(interval)
    for score_map, mask in zip(as_score_maps(maps, truth.shape[1:], norm_type, len(truth)), truth, strict=True):
        metric.update(score_map, mask)
    return metric.compute()["PxAP"]


def max_box_acc(
    maps: Maps, boxes: Sequence[ArrayLike], *, size: int | Sequence[int], norm_type: str = "minmax"
) -> dict[str, float]:
    """MaxBoxAcc, MaxBoxAccV2 and its parts, in percent (WSOL benchmark).

    Args:
        maps: of N images.
        boxes: for each image its boxes [n,4], inclusive whole pixels x0 y0 x1 y1 of an image of ``size``.
        size: (H, W), or one number for both.
        norm_type: as of ``pxap``.
    """
    sides, metric = as_size(size), MaxBoxAcc()
    truths = as_boxes(boxes, sides)
    for score_map, truth in zip(as_score_maps(maps, sides, norm_type, len(truths)), truths, strict=True):
        metric.update(score_map, truth)
    return metric.compute()


def cue_localisation(
    pairs: Mapping[Any, tuple[Maps, Maps, Maps]], *, kind: str = "probability", norm_type: str = "max"
) -> dict[str, Any]:
    """mPxAP: do two classes' maps differ where the classes do (paper, Section 5.2)? In percent, higher is better.

    Args:
        pairs: name of a class pair -> maps of class A and of class B for its N images, and masks [N,H,W] of the parts
            in which the classes differ.
        kind: "probability" (taken as they are), "class map" (by ``norm_type``) or "gradient" (blurred, min-max).
        norm_type: "max" (Eq. 2) or "minmax".

    Returns:
        "mPxAP", the mean over the pairs, and "PxAP", name -> value, None for a pair without a cue pixel.
    """
    if kind not in TO_SCORE_MAP:
        raise UserError(f"unknown `kind` {kind!r}: choose from {', '.join(TO_SCORE_MAP)}")
    if norm_type not in NORMALIZATIONS:
        raise UserError(f"unknown `norm_type` {norm_type!r}: choose from max, minmax")
    if not isinstance(pairs, Mapping) or not all(hasattr(own, "__len__") and len(own) == 3 for own in pairs.values()):
        raise UserError("`pairs` should be a mapping: name of a class pair -> (maps of A, maps of B, masks)")
    values: dict[Any, float | None] = {}
    for name, (maps_a, maps_b, masks) in pairs.items():
        cue = as_masks(masks)
        height, width = cue.shape[1:]
        if height != width:
            raise UserError(f"`pairs`: the masks of {name} should be square, not {height} x {width}")
        score = cue_score("text", kind, size=height, ksize=min(31, height - 1 | 1), norm_type=norm_type)
        found = exact_curve(PixelScores(score(as_maps(maps_a, len(cue)), as_maps(maps_b, len(cue))), cue))
        values[name] = 100 * found.average_precision if found else None
    measured = [value for value in values.values() if value is not None]
    return {"mPxAP": sum(measured) / len(measured) if measured else None, "PxAP": values}
