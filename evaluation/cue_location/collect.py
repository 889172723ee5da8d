"""The raw maps and part maps of cue localisation, from one pass over the images (paper, Section 5.2)."""

import tempfile
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from calm import distributed
from calm.data_loaders.cues.pairs import PARTS, ClassPair

IN_MEMORY = 512 * 2**20
"""Bytes; a larger array, such as the gradient maps of all of CUB, lies in a temporary file."""
Positions = list[int]
"""Which images, among those that are evaluated."""


class Collected(NamedTuple):
    """Raw maps and part maps of this process's images, and which part is where in all images."""

    raw: np.ndarray  # float32 [rows,h,w]
    row_of: dict[tuple[int, int], int]  # (position, class) -> row of raw
    part_maps: np.ndarray  # uint8 [own images,S,S]
    index_of: dict[int, int]  # position -> index of part_maps; this process's images alone
    visible: Tensor  # int64 [N,7], 1 where the part is visible, all images
    areas: Tensor  # int64 [N,7], pixels of the part, all images
    pixels: Tensor  # int64 [N], of the whole part map, all images

    def raw_of(self, positions: Positions, class_index: int) -> Tensor:
        """[n,h,w], the raw maps of a class in some of this process's images."""
        return torch.from_numpy(self.raw[[self.row_of[position, class_index] for position in positions]])

    def parts_of(self, positions: Positions) -> np.ndarray:
        """uint8 [n,S,S]."""
        return self.part_maps[[self.index_of[position] for position in positions]]


def needed_classes(pairs: Sequence[ClassPair]) -> dict[int, list[int]]:
    """Class -> the classes whose maps its images need: itself and its partners."""
    needed: dict[int, set[int]] = {}
    for a, b, _ in pairs:
        for own in (a, b):
            needed.setdefault(own, set()).update((a, b))
    return {own: sorted(classes) for own, classes in needed.items()}


def _array(shape: Sequence[int], dtype: type) -> np.ndarray:
    """An array in memory or, above IN_MEMORY, in a temporary file without a name."""
    if np.prod(shape, dtype=np.int64) * np.dtype(dtype).itemsize <= IN_MEMORY:
        return np.empty(shape, dtype)
    return np.memmap(tempfile.TemporaryFile(), dtype, mode="w+", shape=tuple(shape))


def collect(
    loader: Iterable,
    maps_of: Callable[[Tensor, Sequence[int], Sequence[Sequence[int]]], Tensor],
    classes: Sequence[Sequence[int]],
) -> Collected:
    """Go over the images once.

    Args:
        loader: batches of ``CueImages``, this process's share.
        maps_of: (images [B,3,S,S], their positions, the classes of each) -> raw maps [n,h,w], image by image.
        classes: of each image whose maps are needed, all images.
    """
    own = list(distributed.shard(range(len(classes))))
    row_of = {key: row for row, key in enumerate((i, c) for i in own for c in classes[i])}
    index_of = {position: index for index, position in enumerate(own)}
    raw, part_maps = np.empty((0, 1, 1), np.float32), np.empty((0, 1, 1), np.uint8)
    visible, areas = torch.zeros(2, len(classes), len(PARTS), dtype=torch.int64)
    pixels = torch.zeros(len(classes), dtype=torch.int64)
    for images, positions, parts, seen in distributed.progress(loader, "maps"):
        positions = positions.tolist()
        maps = maps_of(images, positions, [classes[position] for position in positions]).cpu().numpy()
        if not len(raw):
            raw = _array((len(row_of), *maps.shape[1:]), np.float32)
            part_maps = _array((len(own), *parts.shape[1:]), np.uint8)
        raw[[row_of[i, c] for i in positions for c in classes[i]]] = maps
        part_maps[[index_of[position] for position in positions]] = parts.numpy()
        visible[positions] = seen.long()
        areas[positions] = torch.stack([part.flatten().bincount(minlength=256)[: len(PARTS)] for part in parts])
        pixels[positions] = parts[0].numel()
    distributed.all_reduce_sum([visible, areas, pixels])
    return Collected(raw, row_of, part_maps, index_of, visible, areas, pixels)
