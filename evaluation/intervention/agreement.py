"""How well what a map gives the parts agrees with their true effects."""

from collections.abc import Mapping

import numpy as np
import torch

from calm.evaluation.attribution.metrics import Means
from calm.evaluation.intervals import Interval, image_weights, interval_of, means_of_images
from calm.evaluation.intervention.measure import QUESTIONS, Effects, Judged
from calm.evaluation.metrics import reduce

RANK, LARGEST, COMPLETENESS = "rank_correlation", "largest_agrees", "completeness"
SCALES = {f"{question}_{name}": scale for question in QUESTIONS for name, scale in ((RANK, 1.0), (LARGEST, 100.0))}
"""Numbers per image -> what their mean is multiplied by; shares are in percent."""


def _ranks(values: np.ndarray) -> np.ndarray:
    """[n] -> [n], 1 for the least; equal values share the mean of their ranks."""
    return (values[:, None] > values).sum(axis=1) + ((values[:, None] == values).sum(axis=1) + 1) / 2


def rank_correlation(given: np.ndarray, truth: np.ndarray) -> float:
    """Spearman's correlation over the parts that show, in [-1,1]; ties share their rank; NaN where either is flat."""
    shown = ~np.isnan(truth) & ~np.isnan(given)
    ranks = [_ranks(values[shown]) for values in (given, truth)]
    if shown.sum() < 2 or any(np.ptp(own) == 0 for own in ranks):
        return float("nan")
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1].clip(-1, 1))


def largest_agrees(given: np.ndarray, truth: np.ndarray) -> float:
    """1 where the part that is given most is the one of the largest true effect, else 0; NaN without an effect > 0.

    Where several parts are given most, as by a map of zeros, none is.
    """
    if np.isnan(truth).all() or np.nanmax(truth) <= 0:
        return float("nan")
    most = np.flatnonzero(given == np.nanmax(given, initial=-np.inf))
    return float(len(most) == 1 and most[0] == np.nanargmax(truth))


def per_image(given: Mapping[str, np.ndarray], truth: Mapping[str, Effects]) -> dict[str, np.ndarray]:
    """The numbers of each image: name of ``SCALES`` -> [N].

    Args:
        given: question -> [N,7].
        truth: question -> effects.
    """
    measures = {RANK: rank_correlation, LARGEST: largest_agrees}
    return {
        f"{question}_{name}": np.array(
            [measure(*pair) for pair in zip(given[question], truth[question].parts, strict=True)], dtype=float
        )
        for question in QUESTIONS
        for name, measure in measures.items()
    }


def counted(everyone: Judged) -> dict[str, dict[str, int]]:
    """Map -> over how many images the mean of each number of ``SCALES`` is: those where it is defined."""
    return {
        name: {key: int((~np.isnan(values)).sum()) for key, values in per_image(given, everyone.truth).items()}
        for name, given in everyone.given.items()
    }


def completeness(given: np.ndarray, together: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """[R] correlation over images of what all parts are given with the true fall when all change at once.

    A map has a unit of its own; the correlation knows none. NaN where either is the same in all images.

    Args:
        given: [N,7].
        together: [N], the true falls.
        weights: [R,N], how often each image counts; None: once, R = 1.
    """
    sums = np.nansum(given, axis=1)
    weights = np.ones((1, len(sums))) if weights is None else weights.astype(float)
    total = np.maximum(weights.sum(axis=1), 1)
    centred = [values - (weights @ values / total)[:, None] for values in (sums, together)]
    covariance, *variances = ((weights * a * b).sum(axis=1) for a, b in (centred, (centred[0],) * 2, (centred[1],) * 2))
    scale = np.sqrt(variances[0] * variances[1])
    return np.divide(covariance, scale, out=np.full(len(scale), np.nan), where=scale > 0)


def summarise(
    own: Judged, everyone: Judged
) -> tuple[dict[str, dict[str, float]], dict[str, dict[str, Interval | None]]]:
    """Map -> metrics, and map -> their 95 % intervals, images drawn again.

    Args:
        own: this process's birds, whose counts are added up over the processes.
        everyone: the birds of all processes in the data set's order.
    """
    metrics, intervals = {}, {}
    for name in own.given:
        means = Means(SCALES)
        means.update(
            {key: torch.from_numpy(own_values) for key, own_values in per_image(own.given[name], own.truth).items()}
        )
        reduce(means)
        replicates = means_of_images(per_image(everyone.given[name], everyone.truth))
        replicates = {key: SCALES[key] * values for key, values in replicates.items()}
        metrics[name] = means.compute()
        for question in QUESTIONS:
            pair = everyone.given[name][question], everyone.truth[question].together
            metrics[name][f"{question}_{COMPLETENESS}"] = float(completeness(*pair)[0])
            weights = image_weights(len(everyone.index))
            replicates[f"{question}_{COMPLETENESS}"] = completeness(*pair, weights)
        intervals[name] = {key: interval_of(values) for key, values in replicates.items()}
    return metrics, intervals
