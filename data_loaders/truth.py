"""Where the object of an image truly is, in the pixels of its score map."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from calm.data_loaders.classes import FOLDERS
from calm.data_loaders.datasets import ImageDataset
from calm.data_loaders.masks import read_object_mask
from calm.errors import UserError

BOX_DATASETS = frozenset(("CUB", "ILSVRC", "TinyImageNet", "SynthBirds"))
MASK_DATASETS = frozenset(("OpenImages", "SynthBirds"))


class Truth(NamedTuple):
    """Boxes or masks are None where the data set has none. Masks stay files, to be read where they are compared."""

    boxes: np.ndarray | None
    """[n,4] inclusive pixels of the map."""
    masks: tuple[Path, ...] | None
    ignore_mask: Path | None

    def mask(self, size: int) -> np.ndarray | None:
        """uint8 [size,size], 1 object, 0 background, 255 ignored; None where the data set has no masks."""
        return None if self.masks is None else read_object_mask(self.masks, self.ignore_mask, size)


@dataclass(frozen=True)
class TruthReader:
    """(data set, index) -> truth of an image.

    Args:
        dataset_name: one of ``BOX_DATASETS`` or ``MASK_DATASETS``.
        size: side of the maps.
        data_root: folder of the data sets.
        mask_root: folder of OpenImages/ with its masks.
        localization: file of the boxes or masks, named in complaints.
    """

    dataset_name: str
    size: int
    data_root: Path
    mask_root: Path
    localization: Path

    @property
    def has_boxes(self) -> bool:
        """Whether the data set has true boxes."""
        return self.dataset_name in BOX_DATASETS

    @property
    def has_masks(self) -> bool:
        """Whether the data set has true masks."""
        return self.dataset_name in MASK_DATASETS

    def check(self, dataset: ImageDataset) -> None:
        """Refuse images without an object, before anything is computed."""
        for record in dataset.records:
            if self.has_boxes and not record.boxes:
                raise UserError(f"{self.localization} has no box for {record.image_id}")
            if self.dataset_name == "OpenImages" and not record.masks:
                raise UserError(f"{self.localization} has no mask for {record.image_id}")

    def __call__(self, dataset: ImageDataset, index: int) -> Truth:
        record, boxes = dataset.records[index], None
        if self.has_boxes:
            boxes = scale_boxes(record.boxes, dataset.original_size(index), (self.size, self.size))
        if self.dataset_name == "OpenImages":
            folder = self.mask_root / FOLDERS["OpenImages"]
            ignored = folder / record.ignore_mask if record.ignore_mask else None
            return Truth(boxes, tuple(folder / name for name in record.masks), ignored)
        if self.has_masks:
            segmentation = self.data_root / FOLDERS[self.dataset_name] / "segmentations" / record.image_id
            return Truth(boxes, (segmentation.with_suffix(".png"),), None)
        return Truth(boxes, None, None)


def scale_boxes(boxes: ArrayLike, image_size: tuple[int, int], map_size: tuple[int, int]) -> np.ndarray:
    """Boxes [n,4] of an image (width, height) in the coordinates of its map (width, height), truncated; int64 [n,4]."""
    (image_w, image_h), (map_w, map_h) = image_size, map_size
    boxes = np.asarray(boxes, dtype=np.int64).reshape(-1, 4)
    return boxes * np.array([map_w, map_h, map_w, map_h]) // np.array([image_w, image_h, image_w, image_h])
