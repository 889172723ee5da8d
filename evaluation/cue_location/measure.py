"""Cue localisation (paper, Section 5.2): PxAP of every class pair, and their means."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from calm import distributed
from calm.data_loaders.cues.pairs import ClassPair
from calm.evaluation.cue_location.collect import Collected, Positions
from calm.evaluation.cue_location.protocols import CueProtocol
from calm.wsol_eval.pixel_ap import PixelScores

RECALLS = np.linspace(0.0, 1.0, 101)
"""Where the curves are sampled for the pictures."""


class PairResult(NamedTuple):
    """What was measured of a pair; ``pxap`` is in percent, None for a skipped pair."""

    pair: ClassPair
    positions: Positions  # of class A, then of class B
    mask_pixels: list[int | None]  # None for an image that shows none of the differing parts
    pxap: float | None
    precision: np.ndarray | None  # at RECALLS


def measure_pairs(
    pairs: Sequence[ClassPair],
    collected: Collected,
    targets: Sequence[int],
    to_scores: Callable[[Tensor], Tensor],
    protocol: CueProtocol,
    *,
    device: torch.device,
) -> list[PairResult]:
    """PxAP of every pair, in this order; one pair's pixels are in memory at a time.

    Args:
        pairs: the class pairs.
        collected: of ``collect``.
        targets: class of each image, all images.
        to_scores: raw differences [n,h,w] -> score maps [n,S,S].
        protocol: what makes a curve of the pixels.
        device: where scores are made and sorted.
    """
    members: dict[int, Positions] = {}
    for position, target in enumerate(targets):
        members.setdefault(target, []).append(position)
    results = []
    for pair in tqdm(pairs, desc="pairs", disable=not distributed.is_main(), leave=False):
        positions = members.get(pair.class_a, []) + members.get(pair.class_b, [])
        parts = list(pair.parts)
        shown = collected.visible[positions][:, parts].any(dim=1).tolist()
        areas = collected.areas[positions][:, parts].sum(dim=1).tolist()
        mask_pixels = [area if is_shown else None for area, is_shown in zip(areas, shown)]
        used = [position for position, area in zip(positions, mask_pixels) if area is not None]
        found = None
        if any(filter(None, mask_pixels)):
            found = protocol.curve_of(_pixels(pair, collected, used, to_scores, device))
        measured = (100 * found.average_precision, found.precision_at(RECALLS)) if found else (None, None)
        results.append(PairResult(pair, positions, mask_pixels, *measured))
    return results


def _pixels(
    pair: ClassPair, collected: Collected, positions: Positions, to_scores: Callable, device: torch.device
) -> PixelScores:
    """Scores |map A - map B| of this process's share of the images, all pixels."""
    own = [position for position in positions if position in collected.index_of]
    if not own:
        return PixelScores(torch.empty(0, device=device), torch.empty(0, dtype=torch.bool, device=device))
    difference = collected.raw_of(own, pair.class_a) - collected.raw_of(own, pair.class_b)
    mask = torch.from_numpy(pair.mask(collected.parts_of(own)))
    return PixelScores(to_scores(difference.to(device)), mask.to(device))


def summarise(results: Sequence[PairResult]) -> dict[str, float | int | None]:
    """mPxAP over all pairs and per number of differing parts (null without any pair), and the numbers of pairs."""

    def mean(group: list[float]) -> float | None:
        return sum(group) / len(group) if group else None

    measured = [result for result in results if result.pxap is not None]
    by_parts = {n: [r.pxap for r in measured if len(r.pair.parts) == n] for n in (1, 2, 3)}
    metrics: dict[str, float | int | None] = {"mPxAP": mean([result.pxap for result in measured])}
    metrics |= {f"mPxAP_{n}": mean(group) for n, group in by_parts.items()}
    metrics |= {f"num_pairs_{n}": len(group) for n, group in by_parts.items()}
    return metrics | {"num_pairs_skipped": len(results) - len(measured)}
