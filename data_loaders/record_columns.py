"""What is known of the images of a split, as columns."""

from collections.abc import Iterator, Sequence
from operator import eq
from typing import overload

import numpy as np

from calm.data_loaders.columns import Column
from calm.data_loaders.record import Record


class RecordColumns(Sequence[Record]):
    """Records that are made when they are asked for: some 60 bytes an image, which worker processes share.

    Args:
        image_ids: of N images.
        targets: int32 [N].
        sizes: int32 [N,2], width and height; 0 where they are not known.
        boxes: int32 [M,4], those of one image one after the other, images in order.
        num_boxes: int64 [N], of each image.
    """

    def __init__(
        self, image_ids: Column, targets: np.ndarray, sizes: np.ndarray, boxes: np.ndarray, num_boxes: np.ndarray
    ) -> None:
        self._image_ids, self._targets, self._sizes, self._boxes = image_ids, targets, sizes, boxes
        self._first_box = np.concatenate([[0], np.cumsum(num_boxes)])

    def __len__(self) -> int:
        return len(self._targets)

    @overload
    def __getitem__(self, index: int) -> Record: ...
    @overload
    def __getitem__(self, index: slice) -> list[Record]: ...
    def __getitem__(self, index: int | slice) -> Record | list[Record]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(f"record {index} of {len(self)}")
        index %= len(self)
        width, height = self._sizes[index].tolist()
        boxes = self._boxes[self._first_box[index] : self._first_box[index + 1]].tolist()
        return Record(
            self._image_ids.text(index),
            int(self._targets[index]),
            size=(width, height) if width else None,
            boxes=tuple((x0, y0, x1, y1) for x0, y0, x1, y1 in boxes),
        )

    def __iter__(self) -> Iterator[Record]:
        return (self[index] for index in range(len(self)))

    def __eq__(self, other: object) -> bool:
        """Whether ``other`` holds the same records in the same order."""
        return isinstance(other, Sequence) and len(self) == len(other) and all(map(eq, self, other))

    __hash__ = None  # type: ignore[assignment]  # as of a list

    @property
    def targets(self) -> np.ndarray:
        """int32 [N], the class of each image."""
        return self._targets


def targets_of(records: Sequence[Record]) -> np.ndarray:
    """int [N], the class of each image."""
    return records.targets if isinstance(records, RecordColumns) else np.array([record.target for record in records])
