"""Where score maps come from: a network, or files that any tool wrote."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, default_collate

from calm.attribution.score_map import normalize, resize
from calm.data_loaders.datasets import ImageDataset
from calm.engine import Prediction
from calm.evaluation.file_maps import FileMaps
from calm.evaluation.raw_maps import raw_maps
from calm.evaluation.session import Session
from calm.evaluation.untrained import untrained


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
        again: of untrained heads, a batch's prediction -> theirs, whose maps come beside; None: there are no others.
    """

    name: str
    dataset: ImageDataset
    loader: DataLoader
    predict: Callable[[Iterable], Iterator[Prediction]]
    raw_maps: Callable[[Prediction], Tensor]
    size: int
    resize_mode: str
    norm_type: str
    again: Callable[[Prediction], Prediction] | None = None
    knows_ranks = True
    """Whether the rank of the true class comes with a map."""

    def _score_maps(self, batch: Prediction) -> np.ndarray:
        maps = resize(self.raw_maps(batch), self.size, mode=self.resize_mode)
        return normalize(maps, self.norm_type).cpu().numpy()

    def stream(self) -> Iterator[tuple[int, tuple[int, ...], tuple[np.ndarray, ...]]]:
        """(index, ranks of the true class, maps) of this process's images: the network's, then those beside."""
        for batch in self.predict(self.loader):
            each = [batch] if self.again is None else [batch, self.again(batch)]
            ranks = [ranks_of(one.output.log_p_y, one.targets) for one in each]
            maps = [self._score_maps(one) for one in each]  # waits for the device; the ranks are there by then
            yield from zip(batch.indices.tolist(), zip(*(own.tolist() for own in ranks)), zip(*maps))

    def some(self, indices: Sequence[int]) -> np.ndarray:
        """The maps [n,size,size] of a few images."""
        (batch,) = self.predict([default_collate([self.dataset[index] for index in indices])])
        return self._score_maps(batch)


def open_maps(session: Session) -> NetworkMaps | FileMaps:
    """The score maps that the flags ask for, beside them those of untrained heads, where these cost little."""
    args = session.args
    if args.scoremap_root is not None:
        return FileMaps(args.scoremap_root, session.dataset, args.crop_size)
    other = untrained(session, session.map_name)
    return NetworkMaps(
        name=session.map_name,
        dataset=session.dataset,
        loader=session.loader(),
        predict=lambda batches: session.predict(batches, session.map_name),
        raw_maps=raw_maps(session, session.map_name),
        size=args.crop_size,
        resize_mode=args.resize_mode,
        norm_type=args.norm_type,
        again=other.again if other else None,
    )


def raw_maps_of(session: Session) -> tuple[str, Callable[[Prediction], Tensor]]:
    """The name of the maps that the flags ask for, and (a batch's prediction) -> raw maps, or those of files."""
    args = session.args
    if args.scoremap_root is not None:
        files = FileMaps(args.scoremap_root, session.dataset, args.crop_size)
        return files.name, files.of_batch
    return session.map_name, raw_maps(session, session.map_name)


def ranks_of(log_p_y: Tensor, targets: Tensor) -> Tensor:
    """[B], how many classes are more probable than the target; of equal ones the first counts, as with argmax."""
    classes = torch.arange(log_p_y.shape[1], device=log_p_y.device)
    own = log_p_y.gather(1, targets[:, None])
    before = (log_p_y > own) | ((log_p_y == own) & (classes < targets[:, None]))
    return before.sum(dim=1)
