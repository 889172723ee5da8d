"""Average precision and accuracy of torchmetrics and scikit-learn."""

from collections.abc import Callable
from typing import Any

import torch
from sklearn.metrics import average_precision_score
from torchmetrics.classification import BinaryAveragePrecision, MulticlassAccuracy

from calm.evaluation.metrics import Accuracy
from calm.wsol_eval import PxAP
from calm.wsol_eval.pixel_ap import PixelScores, exact_curve
from peer_groups.pairs import CLASSES, Inputs, Pair, apart


def pairs(inputs: Inputs) -> dict[str, Pair]:
    """Of 20 score maps with their masks, and of 2,000 predictions; the network has no part in it."""
    generator = torch.Generator().manual_seed(0)
    masks = torch.rand(20, 224, 224, generator=generator) < 0.2
    scores = (torch.rand(masks.shape, generator=generator) * 0.8 + 0.2 * masks).clamp(0, 1)
    log_p_y = torch.randn(2000, CLASSES, generator=generator)
    targets = torch.randint(CLASSES, (2000,), generator=generator)

    def exact() -> float:
        found = exact_curve(PixelScores(scores, masks))
        return found.average_precision if found else float("nan")

    def binned() -> float:
        metric = PxAP(0.001)
        for score_map, mask in zip(scores, masks):
            metric.update(score_map, mask.to(torch.uint8))
        return metric.compute()["PxAP"] / 100

    def accuracy() -> float:
        metric = Accuracy()
        for some, own in zip(log_p_y.split(64), targets.split(64)):
            metric.update(some, own)
        return metric.compute()["accuracy"] / 100

    def scikit() -> float:
        return average_precision_score(masks.numpy().ravel(), scores.numpy().ravel())

    def their_precision(**options: Any) -> Callable[[], float]:
        return _updated(lambda: BinaryAveragePrecision(**options), scores.flatten(1), masks.flatten(1).int())

    their_accuracy = _updated(
        lambda: MulticlassAccuracy(CLASSES, average="micro"), log_p_y.split(64), targets.split(64)
    )
    return {
        "exact average precision": Pair(exact, scikit, apart, "scikit-learn"),
        "exact average precision, torchmetrics": Pair(exact, their_precision(), apart, "torchmetrics"),
        "PxAP, 1000 bins": Pair(binned, their_precision(thresholds=1000), apart, "torchmetrics"),
        "accuracy": Pair(accuracy, their_accuracy, apart, "torchmetrics"),
    }


def _updated(new: Callable[[], Any], predicted: Any, true: Any) -> Callable[[], float]:
    """The value of a metric of torchmetrics after some updates."""

    def value() -> float:
        metric = new()
        for some, own in zip(predicted, true):
            metric.update(some, own)
        return metric.compute().item()

    return value
