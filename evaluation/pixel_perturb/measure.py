"""Remove-and-classify over a data set (paper, Section 5.3)."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from calm.data_loaders.datasets import ImageDataset
from calm.distributed import gather
from calm.engine import Prediction
from calm.evaluation.intervals import image_weights
from calm.evaluation.metrics import PerturbationRatio, reduce
from calm.evaluation.pixel_perturb.erasing import PERCENTAGES, image_keys, remove_and_classify


def keys_of(dataset: ImageDataset, batch: Prediction, seed: int) -> Tensor:
    """[B,4], where each image's random numbers start."""
    image_ids = [dataset.records[index].image_id for index in batch.indices.tolist()]
    return image_keys(image_ids, seed=seed, device=batch.images.device)


class Measured(NamedTuple):
    """Counts over all images, and the images one by one."""

    ratio: PerturbationRatio
    right: np.ndarray
    """bool [N,2,n] in the data set's order: whether the class is right, erased by attribution or at random, per k."""


def measure(
    batches: Iterable[Prediction],
    dataset: ImageDataset,
    maps_of: Callable[[Prediction], Tensor],
    log_p_y: Callable[[Tensor], Tensor],
    *,
    erase: str,
    seed: int,
) -> Measured:
    """Erase and classify every image; the counts of all processes together, and which images were right.

    Args:
        batches: this process's images and what the network says of them.
        dataset: the images.
        maps_of: (a batch's prediction) -> raw maps of the true class.
        log_p_y: images -> log p(y|x) [B,K].
        erase: a name in ``erasing.ERASERS``.
        seed: of the random order and the noise.
    """
    ratio = PerturbationRatio(PERCENTAGES)
    right: list[tuple[Tensor, Tensor]] = []

    def classify(images: Tensor) -> Tensor:
        return log_p_y(images).argmax(dim=1)

    for batch in batches:
        keys = keys_of(dataset, batch, seed)
        erased = remove_and_classify(classify, batch.images, maps_of(batch), keys, erase=erase)
        ratio.update(batch.targets, batch.output.log_p_y.argmax(dim=1), erased.ranked, erased.random)
        both = torch.stack([erased.ranked, erased.random]) == batch.targets
        right.append((batch.indices, both.permute(2, 0, 1).cpu()))
    reduce(ratio)
    every = [item for own in gather(right) for item in own]
    order = torch.cat([indices for indices, _ in every]).argsort()
    return Measured(ratio, torch.cat([own for _, own in every])[order].numpy())


def replicates_of(right: np.ndarray) -> dict[str, np.ndarray]:
    """Replicates [R] of every R_k, images drawn again; NaN where none is right after erasing at random.

    Args:
        right: of ``Measured``.
    """
    weights = image_weights(len(right))
    ranked, random = (weights @ right[:, order].astype(float) for order in (0, 1))
    ratios = np.divide(ranked, random, out=np.full_like(ranked, np.nan), where=random > 0)
    return {f"R_{k}": ratios[:, column] for column, k in enumerate(PERCENTAGES)}


@torch.inference_mode()
def predicted(
    dataset: ImageDataset, indices: Iterable[int], network: torch.nn.Module, device: torch.device
) -> Prediction:
    """A few images as one batch, and what the network says of them, in float32."""
    items = [dataset[index] for index in indices]
    images, targets, positions = torch.utils.data.default_collate(items)
    images = images.to(device)
    return Prediction(network(images), images, targets.to(device), positions)
