"""Where score maps come from: a network, or files that any tool wrote."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Tensor
from torch.utils.data import DataLoader, default_collate
from tqdm import tqdm

from calm.attribution.score_map import normalize, resize
from calm.data_loaders.datasets import ImageDataset
from calm.data_loaders.score_maps import read_score_map, score_map_path, shared_stems
from calm.distributed import is_main, shard
from calm.engine import Prediction
from calm.errors import UserError
from calm.evaluation.session import Session


@dataclass(frozen=True, kw_only=True)
class NetworkMaps:
    """Score maps [size,size] of the true classes, made by a network.

    Args:
        name: of the attribution.
        dataset: the images.
        loader: batches of this process's share of them.
        predict: batches -> what the network says of each.
        raw_maps: (a batch's prediction) -> raw maps [B,h,w] or [B,H,W].
        size: side of the score maps.
        resize_mode: of ``attribution.score_map.resize``.
        norm_type: of ``attribution.score_map.normalize``.
    """

    name: str
    dataset: ImageDataset
    loader: DataLoader
    predict: Callable[[Iterable], Iterator[Prediction]]
    raw_maps: Callable[[Prediction], Tensor]
    size: int
    resize_mode: str
    norm_type: str
    knows_ranks = True
    """Whether the rank of the true class comes with a map."""

    def _score_maps(self, batch: Prediction) -> np.ndarray:
        maps = resize(self.raw_maps(batch), self.size, mode=self.resize_mode)
        return normalize(maps, self.norm_type).cpu().numpy()

    def stream(self) -> Iterator[tuple[int, int, np.ndarray]]:
        """(index, rank of the true class, map) of this process's images."""
        for batch in self.predict(self.loader):
            ranks = ranks_of(batch.output.log_p_y, batch.targets)
            yield from zip(batch.indices.tolist(), ranks, self._score_maps(batch))

    def some(self, indices: Sequence[int]) -> np.ndarray:
        """The maps [n,size,size] of a few images."""
        (batch,) = self.predict([default_collate([self.dataset[index] for index in indices])])
        return self._score_maps(batch)


class FileMaps:
    """Score maps [size,size] that lie in a folder, one .npy per image."""

    knows_ranks = False
    """No network, no rank of the true class."""

    def __init__(self, root: Path, dataset: ImageDataset, size: int) -> None:
        self.name = f"maps of {root}"
        self._root, self._dataset, self._size = root, dataset, size
        self._shared = shared_stems(record.image_id for record in dataset.records)

    def _path(self, index: int) -> Path:
        return score_map_path(self._root, self._dataset.records[index].image_id, self._shared)

    def stream(self) -> Iterator[tuple[int, None, Path]]:
        """(index, nothing, file) of this process's images; a missing file is named before the first is read."""
        indices = shard(range(len(self._dataset)))
        for index in indices:
            self._path(index)
        for index in tqdm(indices, desc="score maps", disable=not is_main(), dynamic_ncols=True, leave=False):
            yield index, None, self._path(index)

    def some(self, indices: Sequence[int]) -> list[np.ndarray]:
        """The maps of a few images."""
        return [read_score_map(self._path(index), self._size) for index in indices]


def open_maps(session: Session) -> NetworkMaps | FileMaps:
    """The maps that the flags ask for."""
    args = session.args
    if args.scoremap_root is not None:
        if not Path(args.scoremap_root).is_dir():
            raise UserError(f"`scoremap_root`={args.scoremap_root}: no such folder")
        return FileMaps(Path(args.scoremap_root), session.dataset, args.crop_size)
    return NetworkMaps(
        name=session.map_name,
        dataset=session.dataset,
        loader=session.loader(),
        predict=lambda batches: session.predict(batches, session.map_name),
        raw_maps=session.raw_maps(session.map_name),
        size=args.crop_size,
        resize_mode=args.resize_mode,
        norm_type=args.norm_type,
    )


def ranks_of(log_p_y: Tensor, targets: Tensor) -> Sequence[int]:
    """How many classes are more probable than the target, [B]; of equal ones the first counts, as with argmax."""
    classes = log_p_y.new_tensor(range(log_p_y.shape[1]))
    own = log_p_y.gather(1, targets[:, None])
    before = (log_p_y > own) | ((log_p_y == own) & (classes < targets[:, None]))
    return before.sum(dim=1).tolist()
