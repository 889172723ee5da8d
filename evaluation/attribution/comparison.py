"""Attributions judged on the same images: numbers per image, their means, and who wins how often."""

from collections.abc import Callable, Iterable, Mapping, Sequence

import torch
from torch import Tensor

from calm.distributed import gather
from calm.engine import Prediction
from calm.evaluation.attribution.faithfulness import Ends, Probability
from calm.evaluation.attribution.measures import LOCATIONS, MEASURES, Case, measured
from calm.evaluation.attribution.metrics import Means, Wins, scales_of
from calm.evaluation.metrics import reduce
from calm.evaluation.pixel_perturb.erasing import blur
from calm.evaluation.uninformed import uninformed_maps

Values = dict[str, Tensor]
"""Measure -> one number per image; "index" -> which images of the data set they are."""

BASELINE = "gradcam"
"""Where it is among the attributions, the others of its checkpoint are said to win over it so and so often."""


def judge_all(
    batches: Iterable[Prediction],
    makers: Mapping[str, Callable[[Prediction], Tensor]],
    *,
    log_p_y: Callable[[Tensor], Tensor],
    regions_of: Callable[[Tensor], Tensor],
    explain: str,
    steps: int,
    norm_type: str,
    images_per_pass: int = 1,
) -> dict[str, Values]:
    """Attribution -> the numbers of this process's images.

    Args:
        batches: images and what the network says of them.
        makers: attribution -> (prediction, whose targets are the explained classes) -> raw maps.
        log_p_y: images [B,3,H,W] -> log p(y|x) [B,K], as in ``batches``.
        regions_of: indices [B] -> [B,H,W], True where the object is.
        explain: "target" or "predicted", the classes that are explained.
        steps: of ``measures.Case``.
        norm_type, images_per_pass: of ``measures.Case``.
    """
    parts: dict[str, list[Values]] = {name: [] for name in makers}
    blank: Tensor | None = None
    for batch in batches:
        blank = blank_of(batch.images, log_p_y) if blank is None else blank
        classes = explained_classes(batch, explain)
        ends = ends_of(batch.images, batch.output.log_p_y, blank, classes, log_p_y)
        probability, regions = probability_of(log_p_y, classes), regions_of(batch.indices).to(batch.images.device)
        numbers = []
        for maps_of in makers.values():
            maps = maps_of(batch._replace(targets=classes))
            values = measured(Case(probability, batch.images, maps, regions, ends, steps, norm_type, images_per_pass))
            numbers.append(torch.stack([values[measure].double() for measure in MEASURES]))
        for name, own in zip(makers, torch.stack(numbers).cpu()):  # the only wait for the device in this loop
            parts[name].append(dict(zip(MEASURES, own)) | {"index": batch.indices})
    return {name: joined(items) for name, items in parts.items()}


def explained_classes(batch: Prediction, explain: str) -> Tensor:
    """[B], the classes whose maps are judged: those that the network predicts, or the true ones ("target")."""
    return batch.output.log_p_y.argmax(dim=1) if explain == "predicted" else batch.targets


@torch.inference_mode()
def blank_of(images: Tensor, log_p_y: Callable[[Tensor], Tensor]) -> Tensor:
    """log p(y|x) of an image of zeros of the size of ``images``, [1,K]."""
    return log_p_y(torch.zeros_like(images[:1]))


@torch.inference_mode()
def ends_of(images: Tensor, full: Tensor, blank: Tensor, classes: Tensor, log_p_y: Callable[[Tensor], Tensor]) -> Ends:
    """The ends of the curves of the explained classes [B]; log p(y|x) is ``full`` of the images, [B,K], and ``blank``
    of an image of zeros, [1,K]."""
    blurred = blur(images)  # as in remove-and-classify
    shown = (full, log_p_y(blurred), blank.expand(len(classes), -1))
    return Ends(blurred, *(_of_classes(log_p, classes) for log_p in shown))


def _of_classes(log_p_y: Tensor, classes: Tensor) -> Tensor:
    """[B,K] log p(y|x), [B] -> p(y|x) of those classes, [B]."""
    return log_p_y.gather(1, classes[:, None])[:, 0].exp()


def probability_of(log_p_y: Callable[[Tensor], Tensor], classes: Tensor) -> Probability:
    return lambda images: _of_classes(log_p_y(images), classes.repeat(len(images) // len(classes)))


def joined(parts: Sequence[Values]) -> Values:
    """The numbers of several batches, one after the other; empty where there is no batch."""
    return {key: torch.cat([part[key] for part in parts]) if parts else torch.empty(0) for key in ("index", *MEASURES)}


def per_image(values: Values, image_ids: Sequence[str]) -> dict[str, list]:
    """The numbers of all processes in the data set's order: {"image_ids": [...], measure: [...]}."""
    everyones = joined(gather(values))
    order = everyones["index"].argsort()
    ids = [image_ids[int(index)] for index in everyones.pop("index")[order].tolist()]
    return {"image_ids": ids} | {key: numbers[order].double().tolist() for key, numbers in everyones.items()}


def mean_of(values: Values) -> dict[str, float]:
    """Measure -> mean over the images of all processes."""
    means = Means()
    means.update(values)
    reduce(means)
    return means.compute()


def means_without_knowledge(dataset_regions: Iterable[Tensor], size: int) -> dict[str, dict[str, float]]:
    """Map without knowledge -> measure of place -> mean over the images of all processes.

    Args:
        dataset_regions: of this process's images, [n,size,size] at a time, True where the object is.
        size: side of the score maps.
    """
    fixed = {name: torch.from_numpy(own) for name, own in uninformed_maps(size).items()}
    means = {name: Means(scales_of(LOCATIONS)) for name in fixed}
    for regions in dataset_regions:
        for name, own in fixed.items():
            means[name].update(places(own.expand(len(regions), -1, -1), regions))
    for metric in means.values():
        reduce(metric)
    return {name: metric.compute() for name, metric in means.items()}


def places(maps: Tensor, regions: Tensor) -> dict[str, Tensor]:
    """Every measure of place, [n], of score maps [n,S,S] on regions [n,S,S]."""
    return {measure: function(maps, regions) for measure, function in LOCATIONS.items()}


def wins_of(labels: Sequence[str], values: Sequence[Values]) -> dict[str, float]:
    """ "A over B" -> percent of the images of all processes; ``labels`` name the ``values`` in turn."""
    wins = Wins(labels)
    wins.update(torch.stack([each["average_drop"] for each in values]))
    reduce(wins)
    return wins.compute()


def with_wins(
    means: Mapping[str, dict[str, float]], labels: Mapping[str, str], wins: Mapping[str, float]
) -> dict[str, dict[str, float]]:
    """Add to the means of each attribution of a checkpoint how often it wins over the baseline, where that is there.

    Args:
        means: attribution -> measure -> mean.
        labels: attribution -> its name in ``wins``.
        wins: of ``wins_of``.
    """
    if BASELINE not in means:
        return dict(means)

    def share_of(name: str) -> dict[str, float]:
        return {f"win_over_{BASELINE}": wins[f"{labels[name]} over {labels[BASELINE]}"]}

    return {name: mean if name == BASELINE else mean | share_of(name) for name, mean in means.items()}
