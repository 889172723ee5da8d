"""Which images Figures 3 and 4 show, among those that the networks classify correctly."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from calm.data_loaders.cues.pairs import MAX_PARTS, ClassPair, pair_of
from calm.data_loaders.cues.part_maps import PartMaps
from calm.data_loaders.datasets import ImageDataset
from calm.errors import UserError
from calm.networks.network import Network

BATCH = 32
SMALLEST_CUE = 0.01
"""Share of the picture that the true cue covers at least, so that there is something to see."""


@torch.inference_mode()
def class_probabilities(network: Network, dataset: ImageDataset) -> Tensor:
    """p(y|x) of every image, [N,K] on the CPU, in the order of ``dataset``."""
    device = next(network.parameters()).device
    found = []
    for start in range(0, len(dataset), BATCH):
        images = [dataset[index][0] for index in range(start, min(start + BATCH, len(dataset)))]
        found.append(network(torch.stack(images).to(device)).log_p_y.exp().cpu())
    return torch.cat(found)


def correct_images(probabilities: Sequence[Tensor], targets: Sequence[int]) -> list[int]:
    """Indices of the images whose class every network predicts.

    Args:
        probabilities: p(y|x) of each network, [N,K].
        targets: true class of every image, N of them.

    Raises:
        UserError: there is none.
    """
    right = torch.stack([p_y.argmax(dim=1) for p_y in probabilities]) == torch.tensor(targets)
    found = right.all(dim=0).nonzero().flatten().tolist()
    if not found:
        raise UserError("no test image is classified correctly by every checkpoint: train longer first")
    return found


def shows(pair: ClassPair, part_maps: PartMaps, index: int) -> bool:
    """Whether an image shows every part in which two classes differ, on at least ``SMALLEST_CUE`` of it."""
    parts, visible = part_maps(index)
    return bool(visible[list(pair.parts)].all()) and pair.mask(parts).mean() >= SMALLEST_CUE


def choose_counterfactuals(
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
    chosen: list[tuple[ClassPair, int]] = []
    for count in range(1, MAX_PARTS + 1):
        of_count = [pair for pair in pairs if len(pair.parts) == count]
        candidates = (of_count[number] for number in rng.permutation(len(of_count)))
        found = ((pair, _image_of(pair, dataset, part_maps, correct, rng)) for pair in candidates)
        shown = ((pair, index) for pair, index in found if index is not None)
        chosen += [choice for _, choice in zip(range(rows), shown)]
    if not chosen:
        raise UserError("no correctly classified test image shows all parts in which its class differs from another")
    return chosen


def _image_of(
    pair: ClassPair, dataset: ImageDataset, part_maps: PartMaps, correct: Sequence[int], rng: np.random.Generator
) -> int | None:
    """An image of class A that shows the cue, if there is one."""
    own = [index for index in correct if dataset.records[index].target == pair.class_a]
    return next((index for index in rng.permutation(own).tolist() if shows(pair, part_maps, index)), None)


def most_doubtful(
    p_y: Tensor,
    dataset: ImageDataset,
    families: Mapping[int, Sequence[int]],
    differs: np.ndarray,
    part_maps: PartMaps,
) -> tuple[ClassPair, int]:
    """The class pair and image where a network is right, yet both a sibling and other families seem probable.

    Where p(y|x) is near 1, attribution, saliency and subset are alike and nothing speaks against the class. So this
    is the correctly classified image with the largest min(p(most probable sibling), p(all other families)), among
    those that show the cue; of equal ones that with the more probable sibling, then the first.

    Args:
        p_y: p(y|x) of every image, [N,K].
        dataset: the images.
        families: class -> the classes of its family, itself among them.
        differs: bool [K,K,7], the parts in which two classes differ.
        part_maps: called with an index into ``dataset``.

    Raises:
        UserError: no correctly classified image shows its cue.
    """
    doubts = []
    for index, (p, record) in enumerate(zip(p_y, dataset.records, strict=True)):
        family = families[record.target]
        siblings = [other for other in family if other != record.target]
        if int(p.argmax()) == record.target and siblings:
            rival = max(siblings, key=lambda sibling: float(p[sibling]))
            elsewhere = float(p[[k not in family for k in range(len(p))]].sum())
            doubts.append((-min(float(p[rival]), elsewhere), -float(p[rival]), index, rival))
    for _, _, index, rival in sorted(doubts):
        pair = pair_of(differs, dataset.records[index].target, rival)
        if shows(pair, part_maps, index):
            return pair, index
    raise UserError("no correctly classified test image shows the parts in which its class differs from a sibling")
