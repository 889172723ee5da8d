"""Where the true cue of an image is, in data sets that know it."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from calm.data_loaders.catalogue import dataset_named
from calm.data_loaders.cues.annotations import annotations_folder
from calm.data_loaders.cues.pairs import differing_parts
from calm.data_loaders.cues.part_maps import ExactParts
from calm.data_loaders.datasets import ImageDataset

Cue = Callable[[int, int], np.ndarray]
"""(index of an image, class that is explained) -> bool [S,S], True on the cue."""


def part_maps_of(flags: Mapping[str, Any], dataset: ImageDataset) -> tuple[Path, ExactParts]:
    """The data set's folder and its true part maps, at the network's input size."""
    root = annotations_folder(flags["data_root"], flags["dataset_name"])
    image_ids = [record.image_id for record in dataset.records]
    return root, ExactParts(root, image_ids, size=flags["crop_size"])


def known_cue(flags: Mapping[str, Any], dataset: ImageDataset, num_classes: int) -> Cue | None:
    """The visible parts that decide; None where the data set does not know them.

    For the true class they are the parts that tell it from the others of its family, for another class those in which
    the two differ.

    Args:
        flags: of the run: ``dataset_name``, ``data_root`` and ``crop_size``.
        dataset: the images.
        num_classes: K.
    """
    data_set = dataset_named(flags["dataset_name"])
    if data_set.families is None or not data_set.exact_parts:
        return None
    (root, part_maps), families = part_maps_of(flags, dataset), data_set.families(num_classes)
    differs = differing_parts(root)

    def cue(index: int, explained: int) -> np.ndarray:
        target = dataset.records[index].target
        others = families[target] if explained == target else [explained]
        return np.isin(part_maps(index)[0], np.flatnonzero(differs[target, others].any(axis=0)))

    return cue
