"""How sure mPxAP is: class pairs, and the images of each, drawn again and again with replacement."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from calm import distributed
from calm.evaluation.intervals import Interval, average_precisions, image_weights, interval_of, means_over_pairs
from calm.wsol_eval.pixel_ap import PixelScores

THRESHOLDS = 200
"""Scores at which an image's pixels are counted: quantiles of the different scores of the pair's cue pixels."""


def counts_per_image(
    scores: Tensor, mask: Tensor, own: Sequence[int], used: Sequence[int], pixels: PixelScores
) -> np.ndarray:
    """Count the pixels of a pair's images one by one, at thresholds that are the same however they are shared out.

    Returns int64 [n,2,T+1] of all processes' images: pixels at or above each threshold, and cue pixels among them; the
    first threshold lies below every score.

    Args:
        scores: [n,S,S] of this process's images.
        mask: bool [n,S,S], true at the cue.
        own: positions of this process's images.
        used: positions of all.
        pixels: the same scores, sorted.
    """
    distinct = torch.cat(list(distributed.gather(pixels.distinct()))).unique()
    places = torch.linspace(0, len(distinct) - 1, min(THRESHOLDS, len(distinct))).long()
    thresholds = distinct[places].to(scores.device)
    bins = len(thresholds) + 1
    counts = torch.zeros(len(used), 2, bins, dtype=torch.int64)
    row_of = {position: row for row, position in enumerate(used)}
    for position, image, cue in zip(own, scores, mask, strict=True):
        found = torch.bucketize(image.flatten(), thresholds, right=True)
        for kind, chosen in enumerate((found, found[cue.flatten()])):
            in_bins = chosen.bincount(minlength=bins).cpu()
            counts[row_of[position], kind] = in_bins.flip(0).cumsum(0).flip(0)
    distributed.all_reduce_sum([counts])
    return counts.numpy()


class Resampled(NamedTuple):
    """Replicates [R], in percent, of one pair."""

    pxap: np.ndarray
    prevalence: np.ndarray


def resample(counts: np.ndarray, class_a: int, class_b: int, exact: float) -> Resampled:
    """A pair's replicates from its images drawn again, moved so that they are about the exact value.

    Args:
        counts: of ``counts_per_image``.
        class_a, class_b: its classes, which choose the draws.
        exact: PxAP of the pair in percent, without thresholds.
    """
    weights = image_weights(len(counts), class_a, class_b)
    coarse = 100 * average_precisions(counts, np.ones((1, len(counts))))[0]
    replicates = 100 * average_precisions(counts, weights) + exact - coarse
    pixels, cue = (weights @ counts[:, kind, 0] for kind in (0, 1))
    return Resampled(replicates, 100 * cue / pixels)


def replicates_over_pairs(pairs: Sequence[Resampled]) -> dict[str, np.ndarray]:
    """Replicates [R] of mPxAP and of what it has above prevalence, pairs drawn again too.

    Two results about the same pairs and images share their draws: the interval of the differences of their replicates
    is the paired one.
    """
    if not pairs:
        return {}
    return {
        "mPxAP": means_over_pairs([pair.pxap for pair in pairs]),
        "above_prevalence": means_over_pairs([pair.pxap - pair.prevalence for pair in pairs]),
    }


def interval_per_pair(pair: Resampled | None) -> dict[str, Interval | None]:
    """What a pair's record says of its images drawn again; empty where they were not."""
    if pair is None:
        return {}
    return {
        "PxAP_interval": interval_of(pair.pxap),
        "above_prevalence_interval": interval_of(pair.pxap - pair.prevalence),
    }
