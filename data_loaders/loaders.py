"""Batches from a data set: training order and evaluation shares, over any number of workers and processes."""

import os
from collections.abc import Iterator
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset, DistributedSampler, Sampler

from calm.errors import UserError


class Items(Dataset):
    """A data set of a known number of items."""

    def __len__(self) -> int:
        raise NotImplementedError


class TrainingOrder(Sampler[tuple[int, int]]):
    """Keys (epoch, index) of one process: its part of torch's ``DistributedSampler`` order, also when it is alone.

    So one process with batches of B and two with batches of B/2 see the same global batches. With several processes
    the shares are made equal by repeating some first images at the end of the epoch.
    """

    def __init__(self, dataset: Items, *, seed: int, epoch: int, rank: int, world_size: int) -> None:
        self._order = DistributedSampler(dataset, num_replicas=world_size, rank=rank, shuffle=True, seed=seed)
        self.set_epoch(epoch)

    def set_epoch(self, epoch: int) -> None:
        """Choose the order, and the crops and flips, of ``epoch``; holds from the next iteration on."""
        self._order.set_epoch(epoch)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        epoch = self._order.epoch
        return ((epoch, index) for index in self._order)

    def __len__(self) -> int:
        return len(self._order)


class EvaluationShare(Sampler[int]):
    """Indices rank, rank + world_size, ... : over all processes each image is there once."""

    def __init__(self, dataset: Items, *, rank: int, world_size: int) -> None:
        self._indices = range(rank, len(dataset), world_size)

    def __iter__(self) -> Iterator[int]:
        return iter(self._indices)

    def __len__(self) -> int:
        return len(self._indices)


class ImageLoader(DataLoader):
    """A ``DataLoader`` that hands on a worker's ``UserError`` as the one sentence it is.

    torch raises a worker's exception anew in the main process, with the worker's traceback as its text.
    """

    def __iter__(self) -> Iterator[Any]:  # ty: ignore[incompatible-method-override]  # torch names its private class
        try:
            yield from super().__iter__()
            return
        except UserError as error:
            sentence = str(error).rsplit("UserError: ", 1)[-1].strip()
            error.__traceback__ = None  # its frames would keep the workers alive until the next garbage collection
        raise UserError(sentence)


def build_loader(
    dataset: Items,
    batch_size: int,
    *,
    workers: int = 0,
    shuffle: bool = False,
    seed: int = 0,
    epoch: int = 0,
    rank: int = 0,
    world_size: int = 1,
    pin_memory: bool = False,
) -> ImageLoader:
    """Batches (images [B,3,S,S], targets [B], indices [B]) of one process.

    Args:
        dataset: items are loaded with torch's default collation.
        batch_size: of this process.
        workers: processes that load, at most one a core; 0 loads in this one. The pixels are the same.
        shuffle: training order (keys (epoch, index), equal shares) instead of evaluation order (each image once).
        seed, epoch: of the order; ``loader.sampler.set_epoch`` moves on to another epoch.
        rank, world_size: this process among all.
        pin_memory: for faster copies to a GPU.
    """
    if shuffle:
        sampler = TrainingOrder(dataset, seed=seed, epoch=epoch, rank=rank, world_size=world_size)
    else:
        sampler = EvaluationShare(dataset, rank=rank, world_size=world_size)
    return ImageLoader(
        dataset,
        batch_size=batch_size,
        sampler=sampler,
        num_workers=min(workers, os.cpu_count() or 1),
        pin_memory=pin_memory,
        generator=torch.Generator().manual_seed(seed),  # workers are seeded from it, not from the global state
    )
