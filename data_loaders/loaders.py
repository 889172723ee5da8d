"""Batches from a data set: training order and evaluation shares, over any number of workers and processes."""

import os
from collections.abc import Iterator, Sequence
from typing import Any, Self

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, DistributedSampler, Sampler

from calm.data_loaders.transforms import IMAGENET_MEAN, IMAGENET_STD, normalised
from calm.errors import UserError


class Items(Dataset):
    """A data set of a known number of items, the first part of each its image."""

    mean: Sequence[float] = IMAGENET_MEAN
    std: Sequence[float] = IMAGENET_STD
    """Of the input of the network that the images are for, per channel, on the scale 0 to 1."""

    def __len__(self) -> int:
        raise NotImplementedError

    def in_bytes(self) -> Self:
        """The same items with images that are uint8, where the data set can leave them so."""
        return self


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
    """A ``DataLoader`` that normalises images which come as bytes, on the device, a batch at a time.

    It hands on a worker's ``UserError`` as the one sentence it is: torch raises a worker's exception anew in the main
    process, with the worker's traceback as its text.

    Args:
        dataset: see ``Items``.
        device: where the images are normalised; None leaves them on the CPU.
        options: of ``DataLoader``.
    """

    def __init__(self, dataset: Items, *, device: torch.device | None = None, **options: Any) -> None:
        super().__init__(dataset.in_bytes(), **options)
        self._device, self._mean, self._std = device, dataset.mean, dataset.std

    def __iter__(self) -> Iterator[Any]:  # ty: ignore[incompatible-method-override]  # torch names its private class
        try:
            for images, *others in super().__iter__():
                yield [self._normalised(images), *others]
            return
        except UserError as error:
            sentence = str(error).rsplit("UserError: ", 1)[-1].strip()
            error.__traceback__ = None  # its frames would keep the workers alive until the next garbage collection
            self._iterator = None  # torch keeps workers there that serve several epochs
        raise UserError(sentence)

    def _normalised(self, images: Tensor) -> Tensor:
        images = images.to(device=self._device, non_blocking=True)
        return normalised(images, self._mean, self._std) if images.dtype == torch.uint8 else images


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
    device: torch.device | None = None,
) -> ImageLoader:
    """Batches (images [B,3,S,S], targets [B], indices [B]) of one process.

    Workers live as long as the loader, and each has two batches ready.

    Args:
        dataset: items are loaded with torch's default collation.
        batch_size: of this process.
        workers: processes that load, at most one a core; 0 loads in this one. The pixels are the same.
        shuffle: training order (keys (epoch, index), equal shares) instead of evaluation order (each image once).
        seed, epoch: of the order; ``loader.sampler.set_epoch`` moves on to another epoch.
        rank, world_size: this process among all.
        device: where the images are normalised and handed on; None is the CPU. The other tensors stay on the CPU.
    """
    if shuffle:
        sampler = TrainingOrder(dataset, seed=seed, epoch=epoch, rank=rank, world_size=world_size)
    else:
        sampler = EvaluationShare(dataset, rank=rank, world_size=world_size)
    workers = min(workers, os.cpu_count() or 1)
    return ImageLoader(
        dataset,
        device=device,
        batch_size=batch_size,
        sampler=sampler,
        num_workers=workers,
        persistent_workers=workers > 0,
        pin_memory=device is not None and device.type == "cuda",
        generator=torch.Generator().manual_seed(seed),  # workers are seeded from it, not from the global state
    )
