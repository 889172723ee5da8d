"""Insertion and deletion, and the average drop, of torchcam's metrics; both sides make Grad-CAM's maps."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torchcam.methods import GradCAM
from torchcam.metrics import ClassificationMetric, DeletionInsertionMetric

from calm.attribution import build_attribution
from calm.attribution.score_map import normalize
from calm.engine import Prediction, predict
from calm.evaluation.attribution.comparison import blank_of, ends_of, probability_of
from calm.evaluation.attribution.faithfulness import CURVES, area, curves, drop
from calm.evaluation.attribution.measures import enlarged
from calm.evaluation.pixel_perturb.erasing import rank_by_score
from peer_groups.pairs import Inputs, Pair, apart

STEPS, IMAGES_PER_PASS = 20, 32


def pairs(inputs: Inputs) -> dict[str, Pair]:
    """Of one batch; insertion is compared in time alone, as it starts from blurred images here, from zeros there."""
    network, images, targets = inputs.network, inputs.images, inputs.targets
    size = (images.shape[2], images.shape[3])
    attribution = build_attribution("gradcam")

    def log_p_y(shown: Tensor) -> Tensor:
        return network(shown).log_p_y

    probability = probability_of(log_p_y, targets)

    def predicted() -> Iterator[tuple[Prediction, Tensor]]:
        for batch in predict(network, [(images, targets, targets)], device=images.device):
            yield batch, attribution(network, batch.images, batch.targets)

    @torch.inference_mode()
    def deletion() -> float:
        ((batch, maps),) = predicted()
        ends = ends_of(images, batch.output.log_p_y, blank_of(images, log_p_y), targets, log_p_y)
        copies = IMAGES_PER_PASS // len(images)
        found = curves([*CURVES], probability, images, rank_by_score(maps, size), ends, STEPS, copies=copies)
        return {name: area(curve).mean().item() for name, curve in found.items()}["deletion"]

    @torch.inference_mode()
    def average_drop() -> float:
        ((batch, maps),) = predicted()
        full = batch.output.log_p_y.gather(1, targets[:, None])[:, 0].exp()
        score_maps = normalize(enlarged(maps, size), "minmax")
        return drop(full, probability(images * score_maps[:, None])).mean().item()

    def theirs(metric: Any, key: str, **options: Any) -> Callable[[], float]:
        def value() -> float:
            with GradCAM(inputs.scores, "tap") as extractor:
                found = metric(extractor, lambda scores: scores.softmax(dim=1), **options)
                found.update(images.clone().requires_grad_(), targets.tolist())
                return found.summary()[key]

        return value

    their_deletion = theirs(DeletionInsertionMetric, "deletion_auc", steps=STEPS, batch_size=IMAGES_PER_PASS)
    return {
        "insertion and deletion": Pair(deletion, their_deletion, apart, "torchcam"),
        "average drop": Pair(average_drop, theirs(ClassificationMetric, "avg_drop"), apart, "torchcam"),
    }
