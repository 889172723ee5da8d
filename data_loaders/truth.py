"""Where the object of an image truly is, in the pixels of its score map."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from calm.data_loaders.catalogue import DataSet
from calm.data_loaders.datasets import ImageDataset
from calm.data_loaders.images import read_size
from calm.data_loaders.masks import read_object_mask
from calm.data_loaders.metadata import LOCALIZATION, outside
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
        return self.data_set.has_truth(self.data_root)[0]

    @property
    def has_masks(self) -> bool:
        """Whether the data set has true masks."""
        return self.data_set.has_truth(self.data_root)[1]

    def require(self) -> None:
        """Refuse a data set that has neither boxes nor masks."""
        if not self.has_boxes and not self.has_masks:
            raise UserError(
                f"{self.data_set.root(self.data_root)} has no true boxes and no masks, and localisation needs either: "
                "for own photographs add boxes.csv (path,x0,y0,x1,y1) or masks/<path>.png"
            )

    def check(self, dataset: ImageDataset) -> None:
        """Refuse images without an object, and boxes outside their image, before anything is computed."""
        path = dataset.image_list.parent / LOCALIZATION
        has_boxes, has_masks = self.data_set.has_truth(self.data_root)
        for index, record in enumerate(dataset.records):
            if has_boxes and not record.boxes:
                raise UserError(f"{path} has no box for {record.image_id}")
            if has_boxes and record.size is None:  # where it is listed the reader of the metadata has checked this
                self._check_inside(dataset, index)
            if has_masks and self.data_set.localization == "masks" and not record.masks:
                raise UserError(f"{path} has no mask for {record.image_id}")
            if has_masks and self.data_set.localization == "boxes":
                self._check_masks(dataset, index)

    def _check_inside(self, dataset: ImageDataset, index: int) -> None:
        record, (width, height) = dataset.records[index], dataset.original_size(index)
        for box in record.boxes:
            if box[0] >= width or box[1] >= height:  # boxes drawn by people may end past the last pixel
                raise outside(dataset.image_list.parent / LOCALIZATION, record.image_id, box, (width, height))

    def _check_masks(self, dataset: ImageDataset, index: int) -> None:
        """Whether they are there, and were not drawn on the photograph as a viewer turns it by its EXIF orientation."""
        masks, _ = self.data_set.mask_files(dataset.records[index], self.data_root, self.mask_root)
        width, height = dataset.original_size(index)
        for mask in masks:
            if width != height and mask.is_file() and read_size(mask) == (height, width):
                raise UserError(
                    f"{mask} has {height} x {width} pixels, and its image is stored with {width} x {height}: turn the "
                    "mask, or store the image upright without an EXIF orientation"
                )

    def __call__(self, dataset: ImageDataset, index: int) -> Truth:
        record, boxes, masks, ignore_mask = dataset.records[index], None, None, None
        has_boxes, has_masks = self.data_set.has_truth(self.data_root)
        if has_boxes:
            boxes = scale_boxes(record.boxes, dataset.original_size(index), (self.size, self.size))
        if has_masks:
            masks, ignore_mask = self.data_set.mask_files(record, self.data_root, self.mask_root)
        return Truth(boxes, masks, ignore_mask)


def scale_boxes(boxes: ArrayLike, image_size: tuple[int, int], map_size: tuple[int, int]) -> np.ndarray:
    """Boxes [n,4] of an image (width, height) in the coordinates of its map (width, height), truncated; int64 [n,4]."""
    (image_w, image_h), (map_w, map_h) = image_size, map_size
    boxes = np.asarray(boxes, dtype=np.int64).reshape(-1, 4)
    return boxes * np.array([map_w, map_h, map_w, map_h]) // np.array([image_w, image_h, image_w, image_h])
