"""The splits of a training run and their batches."""

from typing import NamedTuple, cast

import torch
from torch.utils.data import DataLoader

from calm.data_loaders.datasets import ImageDataset, build_dataset, build_loader
from calm.data_loaders.loaders import TrainingOrder
from calm.distributed import Process
from calm.explanation.map_strip import spread_images
from calm.flags import Config
from calm.networks.network import Network
from calm.runs import evaluation_dataset, evaluation_loader

SHOWN = 8
"""Validation images whose maps are drawn after every epoch."""


class Splits(NamedTuple):
    """The images of a run, normalised for no network yet."""

    train: ImageDataset
    val: ImageDataset
    test: ImageDataset


class Loaders(NamedTuple):
    """Two of the splits and this process's batches of each of the three, built once for all epochs."""

    train_set: ImageDataset
    test_set: ImageDataset
    train: DataLoader
    val: DataLoader
    test: DataLoader
    shown: tuple[torch.Tensor, torch.Tensor]
    """Some validation images and their classes, on the network's device."""


def build_splits(args: Config) -> Splits:
    """All three splits, so that a wrong folder is found out first, before the network, whose weights may be far away.

    Draws no random number.
    """
    train = build_dataset(
        args.dataset_name,
        "train",
        data_root=args.data_root,
        metadata_root=args.metadata_root,
        resize_size=args.resize_size,
        crop_size=args.crop_size,
        augment=True,
        seed=args.seed,
        decoder=args.decoder,
        proxy=args.proxy_training_set,
    )
    return Splits(train, *(evaluation_dataset(args, None, split) for split in ("val", "test")))


def build_loaders(args: Config, splits: Splits, network: Network, process: Process) -> Loaders:
    """The splits normalised for ``network`` and within its classes, and their batches."""
    train_set = splits.train.viewed(crop_size=args.crop_size, mean=network.mean, std=network.std)
    train_loader = build_loader(
        train_set,
        args.batch_size // process.world_size,
        workers=args.workers,
        shuffle=True,
        seed=args.seed,
        rank=process.rank,
        world_size=process.world_size,
        device=process.device,
    )
    val_set = evaluation_dataset(args, network, "val", like=splits.val)
    test_set = evaluation_dataset(args, network, "test", like=splits.test)
    val, test = (evaluation_loader(args, dataset, process) for dataset in (val_set, test_set))
    images, targets = spread_images(val_set, SHOWN)
    shown = images.to(process.device), targets.to(process.device)
    return Loaders(train_set, test_set, train_loader, val, test, shown)


def batch_sizes(loader: DataLoader) -> tuple[int, int]:
    """Images of a full batch and of the last batch of an epoch, which may be fewer."""
    sampler, batch_size = cast(TrainingOrder, loader.sampler), cast(int, loader.batch_size)  # torch leaves both open
    return min(batch_size, len(sampler)), (len(sampler) - 1) % batch_size + 1
