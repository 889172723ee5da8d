"""Cue localisation (paper, Section 5.2): raw maps of all needed classes from one pass, then PxAP pair by pair."""

import tempfile
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from calm import distributed
from calm.data_loaders.cues.pairs import PARTS, ClassPair
from calm.wsol_eval.pixel_ap import Curve, PixelScores, curve, exact_curve, released_edges

IN_MEMORY = 512 * 2**20
"""Bytes; a larger array, such as the gradient maps of all of CUB, lies in a temporary file."""
RECALLS = np.linspace(0.0, 1.0, 101)
"""Where the curves are sampled for the pictures."""
Images = list[int]
"""Positions of images among those evaluated."""


class Maps(NamedTuple):
    """Raw maps and part maps of this process's images, and which part is where in all images."""

    raw: np.ndarray  # float32 [rows,h,w]
    row_of: dict[tuple[int, int], int]  # (position, class) -> row of raw
    part_maps: np.ndarray  # uint8 [own images,S,S]
    index_of: dict[int, int]  # position -> index of part_maps; this process's images alone
    visible: Tensor  # int64 [N,7], 1 where the part is visible, all images
    areas: Tensor  # int64 [N,7], pixels of the part, all images

    def raw_of(self, positions: Images, class_index: int) -> Tensor:
        """[n,h,w], the raw maps of a class in some of this process's images."""
        return torch.from_numpy(self.raw[[self.row_of[position, class_index] for position in positions]])

    def parts_of(self, positions: Images) -> np.ndarray:
        """uint8 [n,S,S]."""
        return self.part_maps[[self.index_of[position] for position in positions]]


class PairResult(NamedTuple):
    """What was measured of a pair; ``pxap`` is in percent, None for a skipped pair."""

    pair: ClassPair
    positions: Images  # of class A, then of class B
    mask_pixels: list[int | None]  # None for an image that shows none of the differing parts
    pxap: float | None
    precision: np.ndarray | None  # at RECALLS


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
    loader: Iterable, maps_of: Callable[[Tensor, Sequence[Sequence[int]]], Tensor], classes: Sequence[Sequence[int]]
) -> Maps:
    """Go over the images once.

    Args:
        loader: batches of ``CueImages``, this process's share.
        maps_of: (images [B,3,S,S], the classes of each) -> raw maps [n,h,w], image by image.
        classes: of each image whose maps are needed, all images.
    """
    own = list(distributed.shard(range(len(classes))))
    row_of = {key: row for row, key in enumerate((i, c) for i in own for c in classes[i])}
    index_of = {position: index for index, position in enumerate(own)}
    raw, part_maps = np.empty((0, 1, 1), np.float32), np.empty((0, 1, 1), np.uint8)
    visible, areas = torch.zeros(2, len(classes), len(PARTS), dtype=torch.int64)
    for images, positions, parts, seen in tqdm(loader, desc="maps", disable=not distributed.is_main(), leave=False):
        positions = positions.tolist()
        maps = maps_of(images, [classes[position] for position in positions]).cpu().numpy()
        if not len(raw):
            raw = _array((len(row_of), *maps.shape[1:]), np.float32)
            part_maps = _array((len(own), *parts.shape[1:]), np.uint8)
        raw[[row_of[i, c] for i in positions for c in classes[i]]] = maps
        part_maps[[index_of[position] for position in positions]] = parts.numpy()
        visible[positions] = seen.long()
        areas[positions] = torch.stack([part.flatten().bincount(minlength=256)[: len(PARTS)] for part in parts])
    distributed.all_reduce_sum([visible, areas])
    return Maps(raw, row_of, part_maps, index_of, visible, areas)


class PaperProtocol:
    """Exact average precision of each pair."""

    def curve_of(self, pixels: PixelScores) -> Curve | None:
        """Curve of a pair, over the pixels of all processes."""
        return exact_curve(pixels, gather=distributed.gather, add=distributed.all_reduce_sum)


class ReleasedProtocol:
    """Average precision of bins that fill up from pair to pair and are never emptied.

    Args:
        threshold_type: "even" or "log".
        interval: step between the edges of the bins.
    """

    def __init__(self, threshold_type: str, interval: float) -> None:
        self._edges = released_edges(threshold_type, interval)
        self._counts = torch.zeros(2, len(self._edges), dtype=torch.int64)

    def curve_of(self, pixels: PixelScores) -> Curve | None:
        """Curve of all pairs so far, over the pixels of all processes."""
        counts = pixels.count(self._edges)
        distributed.all_reduce_sum([counts])
        self._counts += counts
        return curve(self._counts)


def evaluate(
    pairs: Sequence[ClassPair],
    maps: Maps,
    targets: Sequence[int],
    to_scores: Callable[[Tensor], Tensor],
    protocol: PaperProtocol | ReleasedProtocol,
    *,
    device: torch.device,
) -> list[PairResult]:
    """PxAP of every pair, in this order; one pair's pixels are in memory at a time.

    Args:
        pairs: the class pairs.
        maps: of ``collect``.
        targets: class of each image, all images.
        to_scores: raw differences [n,h,w] -> score maps [n,S,S].
        protocol: what makes a curve of the pixels.
        device: where scores are made and sorted.
    """
    members: dict[int, Images] = {}
    for position, target in enumerate(targets):
        members.setdefault(target, []).append(position)
    results = []
    for pair in tqdm(pairs, desc="pairs", disable=not distributed.is_main(), leave=False):
        positions = members.get(pair.class_a, []) + members.get(pair.class_b, [])
        parts = list(pair.parts)
        shown = maps.visible[positions][:, parts].any(dim=1).tolist()
        areas = maps.areas[positions][:, parts].sum(dim=1).tolist()
        mask_pixels = [area if is_shown else None for area, is_shown in zip(areas, shown)]
        used = [position for position, area in zip(positions, mask_pixels) if area is not None]
        found = (
            protocol.curve_of(_pixels(pair, maps, used, to_scores, device)) if any(filter(None, mask_pixels)) else None
        )
        pxap, precision = (
            (None, None) if found is None else (100 * found.average_precision, found.precision_at(RECALLS))
        )
        results.append(PairResult(pair, positions, mask_pixels, pxap, precision))
    return results


def _pixels(pair: ClassPair, maps: Maps, positions: Images, to_scores: Callable, device: torch.device) -> PixelScores:
    """Scores |map A - map B| of this process's share of the images, all pixels."""
    own = [position for position in positions if position in maps.index_of]
    if not own:
        return PixelScores(torch.empty(0, device=device), torch.empty(0, dtype=torch.bool, device=device))
    difference = maps.raw_of(own, pair.class_a) - maps.raw_of(own, pair.class_b)
    mask = torch.from_numpy(pair.mask(maps.parts_of(own)))
    return PixelScores(to_scores(difference.to(device)), mask.to(device))


def summarise(results: Sequence[PairResult]) -> dict[str, float | int | None]:
    """mPxAP over all pairs and per number of differing parts (null without any pair), and the numbers of pairs."""

    def mean(group: list[float]) -> float | None:
        return sum(group) / len(group) if group else None

    measured = [result for result in results if result.pxap is not None]
    by_parts = {n: [r.pxap for r in measured if len(r.pair.parts) == n] for n in (1, 2, 3)}
    metrics: dict[str, float | int | None] = {"mPxAP": mean([result.pxap for result in measured])}
    metrics |= {f"mPxAP_{n}": mean(group) for n, group in by_parts.items()}
    metrics |= {f"num_pairs_{n}": len(group) for n, group in by_parts.items()}
    return metrics | {"num_pairs_skipped": len(results) - len(measured)}
