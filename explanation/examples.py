"""Which images the paper's figures show, among those that the networks classify correctly."""

from collections.abc import Callable, Container, Mapping, Sequence
from typing import TypeVar

import numpy as np

from calm.data_loaders.cues.pairs import MAX_PARTS, ClassPair
from calm.data_loaders.cues.part_maps import PartMaps
from calm.data_loaders.datasets import ImageDataset
from calm.errors import UserError

Picture = TypeVar("Picture")

SMALLEST_CUE = 0.01
"""Share of the picture that the true cue covers at least, so that there is something to see."""


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

    An image is shown twice only where its class has no other.

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
    shown_already: set[int] = set()
    for count in range(1, MAX_PARTS + 1):
        of_count = [pair for pair in pairs if len(pair.parts) == count]
        candidates = (of_count[number] for number in rng.permutation(len(of_count)))
        found = ((pair, _image_of(pair, dataset, part_maps, correct, rng, shown_already)) for pair in candidates)
        shown = ((pair, index) for pair, index in found if index is not None)
        for _, (pair, index) in zip(range(rows), shown):
            chosen.append((pair, index))
            shown_already.add(index)
    if not chosen:
        raise UserError("no correctly classified test image shows all parts in which its class differs from another")
    return chosen


def _image_of(
    pair: ClassPair,
    dataset: ImageDataset,
    part_maps: PartMaps,
    correct: Sequence[int],
    rng: np.random.Generator,
    last: Container[int],
) -> int | None:
    """An image of class A that shows the cue, if there is one; those in ``last`` come last."""
    own = [index for index in correct if dataset.records[index].target == pair.class_a]
    order = sorted(rng.permutation(own).tolist(), key=lambda index: index in last)
    return next((index for index in order if shows(pair, part_maps, index)), None)


def one_per_class(correct: Sequence[int], targets: Sequence[int], *, rows: int, seed: int) -> list[int]:
    """``rows`` of the images, drawn at random, of as many classes as there are; fewer where there are not so many.

    Args:
        correct: indices of the images to draw from.
        targets: class of every image.
        rows: how many.
        seed: of the draw.
    """
    drawn = [correct[place] for place in np.random.default_rng(seed).permutation(len(correct))]
    counts: dict[int, int] = {}
    turns = []
    for index in drawn:
        turns.append((counts.get(targets[index], 0), index))
        counts[targets[index]] = turns[-1][0] + 1
    return [index for _, index in sorted(turns, key=lambda turn: turn[0])][:rows]


def representative(
    surest: Mapping[int, float], picture: Callable[[int], Picture | None], is_found: Callable[[Picture], bool] | None
) -> Picture:
    """The image of median sureness among the surer half of those that are right; not the best one, not a doubtful one.

    Args:
        surest: index of a correctly classified image -> p(y|x).
        picture: makes what is shown of an image; None where it does not show its cue.
        is_found: whether the map finds the cue; images where it does come first. None: that does not matter.

    Raises:
        UserError: no image shows its cue.
    """
    order = sorted(surest, key=lambda index: (-surest[index], index))
    half = order[: -(-len(order) // 2)]
    middle = (len(half) - 1) / 2
    from_the_middle = sorted(range(len(half)), key=lambda place: (abs(place - middle), place))
    candidates = [half[place] for place in from_the_middle] + order[len(half) :]
    first: Picture | None = None
    for index in candidates:
        shown = picture(index)
        if shown is not None and (is_found is None or is_found(shown)):
            return shown
        first = first if first is not None else shown
    if first is None:
        raise UserError("no correctly classified test image shows the parts in which its class differs from another")
    return first
