"""Cue localisation (paper, Section 5.2): PxAP of every class pair, and their means."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from tqdm import tqdm

from calm import distributed
from calm.data_loaders.cues.pairs import ClassPair
from calm.evaluation.cue_location.collect import Collected, Positions
from calm.evaluation.cue_location.protocols import CueProtocol
from calm.evaluation.cue_location.scores import CueScore
from calm.wsol_eval.pixel_ap import PixelScores

RECALLS = np.linspace(0.0, 1.0, 101)
"""Where the curves are sampled for the pictures."""


class PairResult(NamedTuple):
    """What was measured of a pair; ``pxap`` and ``prevalence`` are in percent, None for a skipped pair."""

    pair: ClassPair
    positions: Positions  # of class A, then of class B
    mask_pixels: list[int | None]  # None for an image that shows none of the differing parts
    pxap: float | None
    precision: np.ndarray | None  # at RECALLS
    prevalence: float | None  # share of cue pixels: the PxAP of a constant map


def measure_pairs(
    pairs: Sequence[ClassPair],
    collected: Collected,
    targets: Sequence[int],
    score_of: CueScore,
    protocol: CueProtocol,
    *,
    device: torch.device,
) -> list[PairResult]:
    """PxAP of every pair, in this order; one pair's pixels are in memory at a time.

    A pair of which a class has no images, or without a cue pixel, is skipped.

    Args:
        pairs: the class pairs.
        collected: of ``collect``.
        targets: class of each image, all images.
        score_of: raw maps of both classes -> scores.
        protocol: what makes a curve of the pixels.
        device: where scores are made and sorted.
    """
    members: dict[int, Positions] = {}
    for position, target in enumerate(targets):
        members.setdefault(target, []).append(position)
    results = []
    for pair in tqdm(pairs, desc="pairs", disable=not distributed.is_main(), leave=False):
        of_a, of_b = (members.get(class_index, []) for class_index in (pair.class_a, pair.class_b))
        positions = of_a + of_b
        parts = list(pair.parts)
        shown = collected.visible[positions][:, parts].any(dim=1).tolist()
        areas = collected.areas[positions][:, parts].sum(dim=1).tolist()
        mask_pixels = [area if is_shown else None for area, is_shown in zip(areas, shown)]
        used = [position for position, area in zip(positions, mask_pixels) if area is not None]
        found = None
        if of_a and of_b and any(filter(None, mask_pixels)):
            found = protocol.curve_of(_pixels(pair, collected, used, score_of, device))
        measured = (None, None, None)
        if found:
            prevalence = 100 * sum(filter(None, mask_pixels)) / int(collected.pixels[used].sum())
            measured = (100 * found.average_precision, found.precision_at(RECALLS), prevalence)
        results.append(PairResult(pair, positions, mask_pixels, *measured))
    return results


def _pixels(
    pair: ClassPair, collected: Collected, positions: Positions, score_of: CueScore, device: torch.device
) -> PixelScores:
    """Scores of this process's share of the images, all pixels."""
    own = [position for position in positions if position in collected.index_of]
    if not own:
        return PixelScores(torch.empty(0, device=device), torch.empty(0, dtype=torch.bool, device=device))
    maps = (collected.raw_of(own, class_index).to(device) for class_index in (pair.class_a, pair.class_b))
    mask = torch.from_numpy(pair.mask(collected.parts_of(own)))
    return PixelScores(score_of(*maps), mask.to(device))


def summarise(results: Sequence[PairResult]) -> dict[str, float | int | None]:
    """Means over all pairs and per number of differing parts (null without any pair), and the numbers of pairs.

    mPxAP, mPxAP_1 ..., and prevalence, prevalence_1 ..., which are those of a constant map.
    """
    measured = [result for result in results if result.pxap is not None]
    by_parts = {f"_{n}": [result for result in measured if len(result.pair.parts) == n] for n in (1, 2, 3)}
    metrics: dict[str, float | int | None] = {}
    for name, field in (("mPxAP", "pxap"), ("prevalence", "prevalence")):
        for suffix, group in {"": measured, **by_parts}.items():
            values = [getattr(result, field) for result in group]
            metrics[name + suffix] = sum(values) / len(values) if values else None
    metrics |= {f"num_pairs{suffix}": len(group) for suffix, group in by_parts.items()}
    return metrics | {"num_pairs_skipped": len(results) - len(measured)}
