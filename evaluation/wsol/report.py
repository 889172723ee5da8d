"""What localisation prints and draws."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from calm.data_loaders.classes import short_name
from calm.data_loaders.datasets import ImageDataset
from calm.data_loaders.truth import TruthReader
from calm.distributed import print0
from calm.errors import UserError, as_flags
from calm.evaluation.file_maps import FileMaps
from calm.evaluation.intervals import Interval
from calm.evaluation.map_sources import NetworkMaps
from calm.evaluation.uninformed import titles
from calm.evaluation.wsol.pictures import Sample, save_precision_recall, save_samples
from calm.evaluation.wsol.scores import TOP_IOU, Localisation, found_box
from calm.pictures.overlay import to_rgb

SAMPLES = 8
"""Images in the picture."""


def warn_of_levels(truth_of: TruthReader, ious: Sequence[int]) -> None:
    """Say which metrics are missing without the level that they need."""
    if truth_of.has_boxes and TOP_IOU not in ious:
        notice = f"notice: MaxBoxAcc, Top1Loc and Top5Loc need {TOP_IOU} among `iou_thresholds`; they are left out"
        print0(as_flags(notice))


def print_table(
    values: Mapping[str, float],
    baselines: Mapping[str, Mapping[str, float]],
    intervals: Mapping[str, Interval | None],
    title: str,
    size: int,
) -> None:
    """A line per metric with its 95 % interval, beside that of maps without knowledge."""
    print0(f"\n{title}; in %, higher is better")
    names = {name: text for name, text in titles(size).items() if name in baselines}
    print0(f"{'':<14}{'maps':>8}{'95 % interval':>18}" + "".join(f"{text:>{len(text) + 3}}" for text in names.values()))
    for metric, value in values.items():
        beside = "".join(f"{baselines[name][metric]:>{len(text) + 3}.2f}" for name, text in names.items())
        low, high = intervals[metric] or (float("nan"), float("nan"))
        print0(f"{metric:<14}{value:>8.2f}{f'{low:.2f} to {high:.2f}':>18}{beside}")


def picture_of(dataset: ImageDataset, index: int) -> np.ndarray | None:
    """[size,size,3] uint8; None where only the metadata is at hand, which is enough for maps from files."""
    try:
        return to_rgb(dataset[index][0], dataset.mean, dataset.std)
    except UserError:
        return None


def draw(
    folder: Path,
    localisation: Localisation,
    maps: NetworkMaps | FileMaps,
    dataset: ImageDataset,
    truth_of: TruthReader,
) -> None:
    """Write samples.png and, for masks, precision_recall.png to ``folder``."""
    title = f"{truth_of.data_set.name}: {maps.name}"
    indices = np.linspace(0, len(dataset) - 1, min(SAMPLES, len(dataset))).round().astype(int).tolist()
    samples = []
    for index, score_map in zip(indices, maps.some(indices)):
        truth = truth_of(dataset, index)
        found = None if truth.boxes is None else found_box(score_map, localisation.best_threshold())
        name = short_name(dataset.class_names[dataset.records[index].target])
        rgb, mask = picture_of(dataset, index), truth.mask(truth_of.size)
        samples.append(Sample(name, rgb, score_map, truth.boxes, found, mask))
    save_samples(folder / "samples.png", samples, title=title)
    if localisation.masks and (curve := localisation.masks.curve()):
        save_precision_recall(folder / "precision_recall.png", curve, title=title)
