"""Which images the figures show: drawn at random among those that every network classifies correctly."""

from collections.abc import Sequence

import numpy as np
import torch

from data_loaders.cub_cues import MAX_PARTS, ClassPair
from data_loaders.cub_part_maps import PartMaps
from data_loaders.datasets import ImageDataset
from errors import UserError
from networks.network import Network

BATCH = 32
SMALLEST_CUE = 0.01
"""Share of the picture that the true cue covers at least, so that there is something to see."""


@torch.inference_mode()
def correct_images(networks: Sequence[Network], dataset: ImageDataset, device: torch.device) -> list[int]:
    """Indices of the images whose class every network predicts.

    Raises:
        UserError: there is none.
    """
    found = []
    for start in range(0, len(dataset), BATCH):
        items = [dataset[index] for index in range(start, min(start + BATCH, len(dataset)))]
        images = torch.stack([image for image, _, _ in items]).to(device)
        predicted = torch.stack([network(images).log_p_y.argmax(dim=1) for network in networks]).cpu()
        right = (predicted == torch.tensor([target for _, target, _ in items])).all(dim=0).tolist()
        found += [index for (_, _, index), ok in zip(items, right, strict=True) if ok]
    if not found:
        raise UserError("no test image is classified correctly by every checkpoint: train longer first")
    return found


def choose_contrasts(
    pairs: Sequence[ClassPair],
    dataset: ImageDataset,
    part_maps: PartMaps,
    correct: Sequence[int],
    *,
    rows: int,
    seed: int,
) -> list[tuple[ClassPair, int]]:
    """Class pairs and images of class A: ``rows`` for each of 1, 2 and 3 differing parts, all of them visible.

    Args:
        pairs: to draw from.
        dataset: the images.
        part_maps: called with an index into ``dataset``.
        correct: indices of the images to draw from.
        rows: fewer are returned where there are not so many pairs.
        seed: of the draw.

    Raises:
        UserError: no image shows the parts of any pair.
    """
    rng = np.random.default_rng(seed)
    chosen = []
    for count in range(1, MAX_PARTS + 1):
        of_count = [pair for pair in pairs if len(pair.parts) == count]
        candidates = (of_count[number] for number in rng.permutation(len(of_count)))
        found = ((pair, _image_of(pair, dataset, part_maps, correct, rng)) for pair in candidates)
        chosen += [contrast for _, contrast in zip(range(rows), (c for c in found if c[1] is not None))]
    if not chosen:
        raise UserError("no correctly classified test image shows all parts in which its class differs from another")
    return chosen


def _image_of(
    pair: ClassPair, dataset: ImageDataset, part_maps: PartMaps, correct: Sequence[int], rng: np.random.Generator
) -> int | None:
    """An image of class A with every differing part visible, if there is one."""
    for index in rng.permutation([i for i in correct if dataset.records[i].target == pair.class_a]).tolist():
        parts, visible = part_maps(int(index))
        if visible[list(pair.parts)].all() and pair.mask(parts).mean() >= SMALLEST_CUE:
            return int(index)
    return None
