"""The raw maps and part maps of cue localisation, from one pass over the images (paper, Section 5.2)."""

import tempfile
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from calm import distributed
from calm.attribution.several_classes import Asked
from calm.data_loaders.cues.pairs import PARTS, ClassPair
from calm.networks.shared_features import features_shared

IN_MEMORY = 512 * 2**20
"""Bytes; a larger array, such as the gradient maps of all of CUB, lies in a temporary file."""
Positions = list[int]
"""Which images, among those that are evaluated."""
MapsOf = Callable[[Tensor, Sequence[int], Sequence[Sequence[Asked]]], Tensor]
"""(images [B,3,S,S], their positions, what is asked of each) -> raw maps [n,h,w], image by image."""


class Collected(NamedTuple):
    """Raw maps and part maps of this process's images, and which part is where in all images."""

    raw: np.ndarray  # float32 [rows,h,w]
    row_of: dict[tuple[int, Asked], int]  # (position, what was asked) -> row of raw
    part_maps: np.ndarray  # uint8 [own images,S,S]
    index_of: dict[int, int]  # position -> index of part_maps; this process's images alone
    visible: Tensor  # int64 [N,7], 1 where the part is visible, all images
    areas: Tensor  # int64 [N,7], pixels of the part, all images
    pixels: Tensor  # int64 [N], of the whole part map, all images

    def raw_of(self, positions: Positions, class_index: int, other: int) -> Tensor:
        """[n,h,w], the raw maps of one class of a pair in some of this process's images."""
        asked = [(class_index, other) if (i, (class_index, other)) in self.row_of else class_index for i in positions]
        return torch.from_numpy(self.raw[[self.row_of[key] for key in zip(positions, asked)]])

    def parts_of(self, positions: Positions) -> np.ndarray:
        """uint8 [n,S,S]."""
        return self.part_maps[[self.index_of[position] for position in positions]]


def needed_maps(pairs: Sequence[ClassPair], *, versus: bool = False) -> dict[int, list[Asked]]:
    """Class -> what is asked of its images: maps of itself and of its partners.

    With ``versus`` each is a map of one class compared with the other of the pair, so that there are more of them.
    """
    needed: dict[int, set[Asked]] = {}
    for a, b, _ in pairs:
        for own in (a, b):
            needed.setdefault(own, set()).update({(a, b), (b, a)} if versus else {a, b})
    return {own: sorted(asked) for own, asked in needed.items()}


def _array(shape: Sequence[int], dtype: type) -> np.ndarray:
    """An array in memory or, above IN_MEMORY, in a temporary file without a name."""
    if np.prod(shape, dtype=np.int64) * np.dtype(dtype).itemsize <= IN_MEMORY:
        return np.empty(shape, dtype)
    return np.memmap(tempfile.TemporaryFile(), dtype, mode="w+", shape=tuple(shape))


def collect(
    loader: Iterable, makers: Sequence[MapsOf], asked: Sequence[Sequence[Asked]], *, device: torch.device
) -> list[Collected]:
    """Go over the images once.

    Args:
        loader: batches of ``CueImages``, this process's share.
        makers: of maps; a trunk that their networks share runs once.
        asked: the maps that are needed of each image, all images.
        device: of the networks.

    Returns:
        For each of the makers; they differ in the raw maps alone.
    """
    own = list(distributed.shard(range(len(asked))))
    row_of = {key: row for row, key in enumerate((i, c) for i in own for c in asked[i])}
    index_of = {position: index for index, position in enumerate(own)}
    raws, part_maps = [np.empty((0, 1, 1), np.float32) for _ in makers], np.empty((0, 1, 1), np.uint8)
    visible, areas = torch.zeros(2, len(asked), len(PARTS), dtype=torch.int64)
    pixels = torch.zeros(len(asked), dtype=torch.int64)
    for images, positions, parts, seen in distributed.progress(loader, "maps"):
        images, positions = images.to(device, non_blocking=True), positions.tolist()
        with features_shared():
            made = [maps_of(images, positions, [asked[i] for i in positions]).cpu().numpy() for maps_of in makers]
        if not len(part_maps):
            raws = [_array((len(row_of), *maps.shape[1:]), np.float32) for maps in made]
            part_maps = _array((len(own), *parts.shape[1:]), np.uint8)
        for raw, maps in zip(raws, made):
            raw[[row_of[i, c] for i in positions for c in asked[i]]] = maps
        part_maps[[index_of[position] for position in positions]] = parts.numpy()
        visible[positions] = seen.long()
        areas[positions] = torch.stack([part.flatten().bincount(minlength=256)[: len(PARTS)] for part in parts])
        pixels[positions] = parts[0].numel()
    distributed.all_reduce_sum([visible, areas, pixels])
    return [Collected(raw, row_of, part_maps, index_of, visible, areas, pixels) for raw in raws]
