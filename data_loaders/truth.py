"""Where the object of an image truly is, in the pixels of its score map."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from calm.data_loaders.catalogue import DataSet
from calm.data_loaders.datasets import ImageDataset
from calm.data_loaders.masks import read_object_mask
from calm.data_loaders.metadata import LOCALIZATION
from calm.errors import UserError


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
        data_set: knows what it has, and where.
        size: side of the maps.
        data_root: folder of the data sets.
        mask_root: folder of OpenImages/ with its masks.
    """

    data_set: DataSet
    size: int
    data_root: Path
    mask_root: Path

    @property
    def has_boxes(self) -> bool:
        """Whether the data set has true boxes."""
        return self.data_set.boxes

    @property
    def has_masks(self) -> bool:
        """Whether the data set has true masks."""
        return self.data_set.masks is not None

    def check(self, dataset: ImageDataset) -> None:
        """Refuse images without an object, before anything is computed."""
        path = dataset.image_list.parent / LOCALIZATION
        for record in dataset.records:
            if self.has_boxes and not record.boxes:
                raise UserError(f"{path} has no box for {record.image_id}")
            if self.data_set.localization == "masks" and not record.masks:
                raise UserError(f"{path} has no mask for {record.image_id}")

    def __call__(self, dataset: ImageDataset, index: int) -> Truth:
        record, boxes, masks, ignore_mask = dataset.records[index], None, None, None
        if self.has_boxes:
            boxes = scale_boxes(record.boxes, dataset.original_size(index), (self.size, self.size))
        if self.data_set.masks is not None:
            masks, ignore_mask = self.data_set.masks(record, self.data_root, self.mask_root)
        return Truth(boxes, masks, ignore_mask)


def scale_boxes(boxes: ArrayLike, image_size: tuple[int, int], map_size: tuple[int, int]) -> np.ndarray:
    """Boxes [n,4] of an image (width, height) in the coordinates of its map (width, height), truncated; int64 [n,4]."""
    (image_w, image_h), (map_w, map_h) = image_size, map_size
    boxes = np.asarray(boxes, dtype=np.int64).reshape(-1, 4)
    return boxes * np.array([map_w, map_h, map_w, map_h]) // np.array([image_w, image_h, image_w, image_h])
