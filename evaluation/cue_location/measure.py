"""Cue localisation (paper, Section 5.2): PxAP of every class pair, and their means."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from calm import distributed
from calm.data_loaders.cues.pairs import ClassPair
from calm.evaluation.cue_location.collect import Collected, Positions
from calm.evaluation.cue_location.protocols import CueProtocol
from calm.evaluation.cue_location.resampled import Resampled, counts_per_image, resample
from calm.evaluation.cue_location.scores import CueScore
from calm.wsol_eval.pixel_ap import Curve, PixelScores, RepeatedScores

RECALLS = np.linspace(0.0, 1.0, 101)
"""Where the curves are sampled for the pictures."""


class PairResult(NamedTuple):
    """What was measured of a pair; ``pxap`` and ``prevalence`` are in percent, None for a skipped pair."""

    pair: ClassPair
    positions: Positions  # of class A, then of class B
    mask_pixels: list[int | None]  # None for an image that shows none of the differing parts
    pxap: float | None
    precision: np.ndarray | None  # at RECALLS
    prevalence: float | None  # share of cue pixels: the exact PxAP of a constant map
    uninformed: Mapping[str, float | None] = MappingProxyType({})  # PxAP of maps without knowledge, in percent
    resampled: Resampled | None = None  # the same from images drawn again; None under bins of all pairs


def measure_pairs(
    pairs: Sequence[ClassPair],
    collected: Collected,
    targets: Sequence[int],
    score_of: CueScore,
    new_protocol: Callable[[], CueProtocol],
    *,
    device: torch.device,
    uninformed: Mapping[str, np.ndarray] = MappingProxyType({}),
    intervals: bool = True,
) -> list[PairResult]:
    """PxAP of every pair, in this order; one pair's pixels are in memory at a time.

    A pair of which a class has no images, or without a cue pixel, is skipped.

    Args:
        pairs: the class pairs.
        collected: of ``collect``.
        targets: class of each image, all images.
        score_of: raw maps of both classes -> scores.
        new_protocol: gives what makes curves of the pixels, one for the maps and one per map without knowledge.
        device: where scores are made and sorted.
        uninformed: name -> score map [S,S], the same for every image, to be measured beside.
        intervals: whether images are drawn again, where the protocol allows it.
    """
    protocol, beside = new_protocol(), {name: new_protocol() for name in uninformed}
    members: dict[int, Positions] = {}
    for position, target in enumerate(targets):
        members.setdefault(target, []).append(position)
    results = []
    for pair in distributed.progress(pairs, "pairs"):
        of_a, of_b = (members.get(class_index, []) for class_index in (pair.class_a, pair.class_b))
        positions = of_a + of_b
        parts = list(pair.parts)
        shown = collected.visible[positions][:, parts].any(dim=1).tolist()
        areas = collected.areas[positions][:, parts].sum(dim=1).tolist()
        mask_pixels = [area if is_shown else None for area, is_shown in zip(areas, shown)]
        used = [position for position, area in zip(positions, mask_pixels) if area is not None]
        if not (of_a and of_b and any(filter(None, mask_pixels))):
            results.append(PairResult(pair, positions, mask_pixels, None, None, None))
            continue
        own = [position for position in used if position in collected.index_of]  # this process's share
        scores, mask = _pixels(pair, collected, own, score_of, device)
        pixels = PixelScores(scores, mask)
        found = protocol.curve_of(pixels)
        again = None
        if intervals and protocol.is_exact and found:
            counts = counts_per_image(scores, mask, own, used, pixels)
            again = resample(counts, pair.class_a, pair.class_b, 100 * found.average_precision)
        curves = {name: beside[name].curve_of(_repeated(pair, collected, own, uninformed[name])) for name in beside}
        prevalence = 100 * sum(filter(None, mask_pixels)) / int(collected.pixels[used].sum())
        without = {name: _percent(curve) for name, curve in curves.items()}
        precision = found.precision_at(RECALLS) if found else None
        results.append(PairResult(pair, positions, mask_pixels, _percent(found), precision, prevalence, without, again))
    return results


def _percent(found: Curve | None) -> float | None:
    return 100 * found.average_precision if found else None


def _pixels(
    pair: ClassPair, collected: Collected, own: Positions, score_of: CueScore, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Scores [n,S,S] of some of this process's images, and which of their pixels are the cue."""
    if not own:
        return torch.empty(0, 0, 0, device=device), torch.empty(0, 0, 0, dtype=torch.bool, device=device)
    a, b = pair.class_a, pair.class_b
    maps = (collected.raw_of(own, *classes).to(device) for classes in ((a, b), (b, a)))
    mask = torch.from_numpy(pair.mask(collected.parts_of(own)))
    return score_of(*maps), mask.to(device)


def _repeated(pair: ClassPair, collected: Collected, own: Positions, score_map: np.ndarray) -> RepeatedScores:
    """The same, with one score map [S,S] for every image."""
    cue = pair.mask(collected.parts_of(own)).sum(axis=0) if own else np.zeros(score_map.shape)
    return RepeatedScores(torch.from_numpy(score_map), torch.from_numpy(cue).long(), len(own))


def summarise(results: Sequence[PairResult]) -> dict[str, float | int | None]:
    """Means over all pairs and per number of differing parts (null without any pair), and the numbers of pairs.

    mPxAP, mPxAP_1 ..., and prevalence, prevalence_1 ..., which are those of a constant map.
    """
    measured = [result for result in results if result.pxap is not None]
    metrics: dict[str, float | int | None] = {**mean_pxap(results)}
    metrics |= _means("prevalence", measured, lambda result: result.prevalence)
    metrics |= {f"num_pairs_{n}": sum(len(result.pair.parts) == n for result in measured) for n in (1, 2, 3)}
    return metrics | {"num_pairs_skipped": len(results) - len(measured)}


def mean_pxap(results: Sequence[PairResult]) -> dict[str, float | None]:
    """mPxAP, mPxAP_1, mPxAP_2 and mPxAP_3 alone."""
    return _means("mPxAP", [result for result in results if result.pxap is not None], lambda result: result.pxap)


def summarise_uninformed(results: Sequence[PairResult]) -> dict[str, dict[str, float | None]]:
    """The same means, mPxAP alone, for every map without knowledge."""
    measured = [result for result in results if result.pxap is not None]
    names = measured[0].uninformed if measured else ()
    return {name: _means("mPxAP", measured, lambda result, name=name: result.uninformed[name]) for name in names}


def _means(
    title: str, results: Sequence[PairResult], value_of: Callable[[PairResult], float | None]
) -> dict[str, float | None]:
    """``title``, ``title_1``, ``title_2`` and ``title_3``: over all pairs, and per number of differing parts."""
    groups = {title: results} | {f"{title}_{n}": [r for r in results if len(r.pair.parts) == n] for n in (1, 2, 3)}
    values = {key: [value for value in map(value_of, group) if value is not None] for key, group in groups.items()}
    return {key: sum(group) / len(group) if group else None for key, group in values.items()}
