"""Where a bird's parts are in an image: nearest keypoints (paper, Section 5.2), or SynthBirds' exact masks.

The cue mask of a class pair is made of the pixels of its differing parts.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from calm.data_loaders.cues.annotations import read_keypoints
from calm.data_loaders.cues.pairs import NO_PART, PARTS
from calm.data_loaders.datasets import ImageDataset
from calm.data_loaders.images import unreadable
from calm.data_loaders.loaders import Items
from calm.errors import UserError

HEAD_KEYPOINTS = (2, 5, 6, 7, 10, 11, 15)
"""Beak, crown, forehead, left eye, nape, right eye, throat."""
_BODY_POINTS = (
    (1, (1,)),
    (2, (3,)),
    (3, (4,)),
    (4, (14,)),
    (5, (8,)),
    (5, (12,)),
    (6, (9,)),
    (6, (13,)),
)
POINTS = {
    "mean": ((0, HEAD_KEYPOINTS), *_BODY_POINTS),
    "all": (*((0, (number,)) for number in HEAD_KEYPOINTS), *_BODY_POINTS),
}
"""(part, keypoint numbers whose mean is one of its points), in the order that decides ties: with the head's keypoints
as one point in their middle (released), or each as a point of its own (the paper's text, read literally)."""


def part_points(
    keypoints: np.ndarray, visible: np.ndarray, image_size: tuple[int, int], size: int, points: str = "mean"
) -> list[tuple[int, int, int]]:
    """Points that stand for the visible parts, as (part, x, y) in pixels of the resized image.

    Args:
        keypoints: [15,2], x and y in the original image.
        visible: bool [15].
        image_size: original width and height.
        size: side of the resized image. Coordinates are scaled, averaged over a part's visible keypoints, and only
            then truncated.
        points: a name in ``POINTS``.
    """
    scaled = keypoints * size / np.array(image_size, dtype=np.float64)
    found = []
    for part, numbers in POINTS[points]:
        seen = [number - 1 for number in numbers if visible[number - 1]]
        if seen:
            x, y = scaled[seen].mean(axis=0).astype(int).tolist()
            found.append((part, x, y))
    return found


def nearest_parts(points: Sequence[tuple[int, int, int]], size: int) -> np.ndarray:
    """uint8 [size,size]: the part of the point nearest to each pixel, the first on ties; NO_PART without any point."""
    axis = np.arange(size, dtype=np.int32)
    parts = np.full((size, size), NO_PART, dtype=np.uint8)
    least = np.full((size, size), np.iinfo(np.int32).max, dtype=np.int32)
    for part, x, y in points:
        distance = ((axis - y) ** 2)[:, None] + ((axis - x) ** 2)[None, :]
        np.copyto(parts, part, where=distance < least)
        np.minimum(least, distance, out=least)
    return parts


def _open_mask(path: Path, advice: str) -> Image.Image:
    try:
        with Image.open(path) as mask:
            mask.load()
            return mask
    except FileNotFoundError as error:
        raise UserError(f"{path} is missing: {advice}") from error
    except (OSError, SyntaxError, ValueError) as error:
        raise unreadable(path, error) from error


class PartMaps(Protocol):
    """Index of an image -> its part map, uint8 [S,S] (NO_PART elsewhere), and which parts are visible, bool [7]."""

    def __call__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """The part map and the visible parts of one image."""


class KeypointParts:
    """Part maps as the paper estimates them, from keypoints.

    Args:
        root: folder of the data set in CUB's layout.
        image_ids: names of the images.
        image_sizes: their original width and height.
        size: side S of the maps.
        inside_bird: cut away what lies outside the bird's segmentation.
        points: a name in ``POINTS``.
    """

    def __init__(
        self,
        root: Path,
        image_ids: Sequence[str],
        image_sizes: Sequence[tuple[int, int]],
        *,
        size: int = 224,
        inside_bird: bool = True,
        points: str = "mean",
    ) -> None:
        if points not in POINTS:
            raise UserError(f"unknown `part_points` {points!r}: choose from {', '.join(POINTS)}")
        keypoints, visible = read_keypoints(root, image_ids)
        self._points = [part_points(*image, size, points) for image in zip(keypoints, visible, image_sizes)]
        self._masks = [root / "segmentations" / Path(name).with_suffix(".png") for name in image_ids]
        self._size, self._inside_bird = size, inside_bird

    def __call__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        points = self._points[index]
        parts = nearest_parts(points, self._size)
        if self._inside_bird:
            shape = (self._size, self._size)
            mask = _open_mask(self._masks[index], "unpack the segmentations or add `mask_to_segmentation`=False")
            bird = mask.convert("L").resize(shape, Image.Resampling.BICUBIC)
            parts[np.asarray(bird) == 0] = NO_PART
        return parts, np.isin(range(len(PARTS)), [part for part, _, _ in points])


class ExactParts:
    """True part maps, which SynthBirds has: ``part_masks/<image>.png``, pixel value 1 + index into PARTS, else 0.

    Args:
        root: folder of the data set.
        image_ids: names of the images.
        size: side S of the maps; masks are resized to the nearest pixel.
    """

    def __init__(self, root: Path, image_ids: Sequence[str], *, size: int = 224) -> None:
        if not (root / "part_masks").is_dir():
            raise UserError(
                f"{root / 'part_masks'} is missing: the data set has no part masks; take `cue_masks`=keypoints"
            )
        self._masks = [root / "part_masks" / Path(name).with_suffix(".png") for name in image_ids]
        self._size = size

    def __call__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        mask = _open_mask(self._masks[index], "pictures of val have none; else make the data set again")
        mask = mask.resize((self._size, self._size), Image.Resampling.NEAREST)
        values = np.asarray(mask)
        parts = np.where((values > 0) & (values <= len(PARTS)), values - 1, NO_PART).astype(np.uint8)
        return parts, np.isin(range(len(PARTS)), parts)


class CueImages(Items):
    """Some images of a data set with their part maps: (image [3,S,S], position, part map uint8 [S,S], visible [7]).

    Args:
        images: the data set.
        indices: of the images to take; ``position`` counts these, from 0.
        part_maps: called with the position.
    """

    def __init__(self, images: ImageDataset, indices: Sequence[int], part_maps: PartMaps) -> None:
        self.images, self.indices, self.part_maps = images, list(indices), part_maps
        self.mean, self.std = images.mean, images.std

    def in_bytes(self) -> "CueImages":
        """See ``Items``."""
        return CueImages(self.images.in_bytes(), self.indices, self.part_maps)

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> tuple[Tensor, int, Tensor, Tensor]:
        image, _, _ = self.images[self.indices[index]]
        part_map, visible = self.part_maps(index)
        return image, index, torch.from_numpy(part_map), torch.from_numpy(visible)
