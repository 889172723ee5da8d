"""What cue localisation writes, prints and draws."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from calm.data_loaders.classes import short_name
from calm.data_loaders.cues.part_maps import CueImages
from calm.distributed import print0
from calm.evaluation.cue_location.collect import Collected
from calm.evaluation.cue_location.measure import PairResult
from calm.evaluation.cue_location.pictures import save_curves, save_samples
from calm.evaluation.cue_location.resampled import interval_per_pair
from calm.evaluation.intervals import Interval
from calm.evaluation.uninformed import titles


def details_of(results: Sequence[PairResult], image_ids: Sequence[str]) -> list[dict[str, Any]]:
    """A record per pair, classes counted from 1."""
    return [
        {
            "class_a": result.pair.class_a + 1,
            "class_b": result.pair.class_b + 1,
            "parts": result.pair.part_names,
            "num_images": sum(area is not None for area in result.mask_pixels),
            "PxAP": result.pxap,
            "prevalence": result.prevalence,
            **interval_per_pair(result.resampled),
            "images": [
                {"image_id": image_ids[position], "mask_pixels": area}
                for position, area in zip(result.positions, result.mask_pixels)
            ],
        }
        for result in results
    ]


def print_table(
    metrics: Mapping[str, Any],
    baselines: Mapping[str, Mapping[str, Any]],
    intervals: Mapping[str, Interval | None],
    title: str,
    size: int,
) -> None:
    """mPxAP per number of differing parts, beside that of maps without knowledge."""
    print0(f"\ncue localisation: {title}; mPxAP in %, higher is better")
    names = {name: text for name, text in titles(size).items() if name in baselines}
    header = "".join(f"{text:>{len(text) + 3}}" for text in names.values())
    print0(f"{'differing parts':>16}{'pairs':>7}{'mPxAP':>8}{header}")
    total = sum(metrics[f"num_pairs_{n}"] for n in (1, 2, 3))
    rows = [*((str(n), metrics[f"num_pairs_{n}"], f"_{n}") for n in (1, 2, 3)), ("all", total, "")]
    for label, count, suffix in rows:
        beside = "".join(
            f"{_number(baselines[name][f'mPxAP{suffix}']):>{len(text) + 3}}" for name, text in names.items()
        )
        print0(f"{label:>16}{count:>7}{_number(metrics[f'mPxAP{suffix}']):>8}{beside}")
    if (all_pairs := intervals.get("mPxAP")) and (above := intervals.get("above_prevalence")):
        print0(
            f"95 % intervals, pairs and images drawn again: mPxAP {all_pairs[0]:.2f} to {all_pairs[1]:.2f}, "
            f"above the constant map by {above[0]:.2f} to {above[1]:.2f}"
        )
    if metrics["num_pairs_skipped"]:
        print0(f"skipped: {metrics['num_pairs_skipped']} pairs without images of either class or without a cue pixel")


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def draw(
    folder: Path,
    images: CueImages,
    collected: Collected,
    results: Sequence[PairResult],
    title: str,
    aligned: Callable[[Tensor], Tensor],
) -> None:
    """Write to ``folder`` the precision-recall curves, and some images with their raw maps, ``aligned``."""
    dataset = images.images
    save_curves(folder / "curves.png", results, title=title)
    facts = {"names": [short_name(name) for name in dataset.class_names], "mean": dataset.mean, "std": dataset.std}
    save_samples(folder / "samples.png", images, collected, results, **facts, aligned=aligned)
