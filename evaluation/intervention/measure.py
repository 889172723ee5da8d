"""True effects of the parts of a bird, and what maps give them.

The effect of a part is measured by drawing the bird again: how far log p(y|x) falls without the part, and how far
log p(y|x) - log p(y'|x) falls when the part gets the look of a rival class y'. What a map gives a part is its mass on
the part's visible pixels; of a rival, the mass of the difference of the maps of y and y'.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from calm.attribution.score_map import resize
from calm.data_loaders import transforms
from calm.data_loaders.cues.pairs import PARTS
from calm.data_loaders.datasets import ImageDataset
from calm.data_loaders.synthbirds.redraw import Redrawn
from calm.engine import Prediction

QUESTIONS = ("removed", "rival")
"""What is done to a part."""


class Case(NamedTuple):
    """A bird and its changed pictures, as the network sees them."""

    index: int
    target: int
    rival: int
    whole: Tensor
    """[3,S,S]."""
    masks: Tensor
    """bool [7,S,S], the visible pixels of each part."""
    changed: dict[str, dict[int, Tensor]]
    """Question -> part -> picture [3,S,S]."""
    all_changed: dict[str, Tensor]
    """Question -> the picture with all of these parts changed at once."""


def case_of(dataset: ImageDataset, index: int, redrawn: Redrawn) -> Case:
    """Resize and normalise all pictures of a bird as the data set's test images are."""
    size = dataset.crop_size

    def seen(picture: np.ndarray) -> Tensor:
        view = transforms.evaluation_view(Image.fromarray(picture), crop_size=size)
        return transforms.to_tensor(view, dataset.mean, dataset.std)

    parts = Image.fromarray(redrawn.part_mask).resize((size, size), Image.Resampling.NEAREST)
    masks = torch.from_numpy(np.array(parts)) == torch.arange(1, len(PARTS) + 1)[:, None, None]
    changed = {"removed": redrawn.removed, "rival": redrawn.given}
    return Case(
        index,
        dataset.records[index].target,
        redrawn.rival,
        seen(redrawn.whole),
        masks,
        {question: {part: seen(picture) for part, picture in own.items()} for question, own in changed.items()},
        {"removed": seen(redrawn.bare), "rival": seen(redrawn.as_rival)},
    )


class Effects(NamedTuple):
    """Per image and part, float64 [N,7], NaN where the part does not show; and per image, [N], all parts at once."""

    parts: np.ndarray
    together: np.ndarray


def effects_of(case: Case, log_p_y: Callable[[Tensor], Tensor]) -> dict[str, Effects]:
    """Question -> true effects of one bird's parts, N = 1; parts in which a rival looks the same have none, 0.

    Args:
        case: the bird.
        log_p_y: images [B,3,S,S] -> log p(y|x) [B,K].
    """
    pictures = [case.whole]
    for question in QUESTIONS:
        pictures += [*case.changed[question].values(), case.all_changed[question]]
    log_p = log_p_y(torch.stack(pictures)).double().cpu()
    own, against = log_p[:, case.target], log_p[:, case.target] - log_p[:, case.rival]
    shown = case.masks.any(dim=2).any(dim=1).numpy()
    found, start = {}, 1
    for question, score in zip(QUESTIONS, (own, against), strict=True):
        changed = case.changed[question]
        falls = (score[0] - score[start : start + len(changed) + 1]).numpy()
        start += len(changed) + 1
        parts = np.where(shown, 0.0, np.nan)
        for part, fall in zip(changed, falls):
            parts[part] = fall if shown[part] else np.nan
        found[question] = Effects(parts[None], falls[-1:])
    return found


def masses(maps: Tensor, masks: Tensor) -> np.ndarray:
    """Sum of each map [B,h,w], resized to the masks [B,7,S,S], over each part: [B,7], NaN where a part has no pixel."""
    resized = resize(maps.double().cpu(), masks.shape[-1])
    sums = (resized[:, None] * masks).sum(dim=(2, 3)).numpy()
    return np.where(masks.flatten(2).any(dim=2).numpy(), sums, np.nan)


def given_by(
    batch: Prediction, rivals: Tensor, masks: Tensor, maps_of: Callable[[Prediction], Tensor]
) -> dict[str, np.ndarray]:
    """Question -> what a map gives the parts of each bird, [B,7].

    Args:
        batch: the whole birds and what the network says of them.
        rivals: [B], y'.
        masks: bool [B,7,S,S].
        maps_of: (prediction, whose targets are the explained classes) -> raw maps.
    """
    own, theirs = maps_of(batch), maps_of(batch._replace(targets=rivals))
    return {"removed": masses(own, masks), "rival": masses(own.double() - theirs.double(), masks)}


class Judged(NamedTuple):
    """This process's birds: which they are, what is true of their parts, and what each map gives them."""

    index: np.ndarray
    rivals: np.ndarray
    truth: dict[str, Effects]
    given: dict[str, dict[str, np.ndarray]]
    """Map -> question -> [N,7]."""


def judge(
    cases: Iterable[Case],
    predict: Callable[[Sequence[Case]], Prediction],
    log_p_y: Callable[[Tensor], Tensor],
    makers: Mapping[str, Callable[[Prediction], Tensor]],
    fixed: Mapping[str, np.ndarray],
    *,
    batch_size: int,
) -> Judged:
    """Draw, classify and explain every bird, some at a time.

    Args:
        cases: this process's birds.
        predict: cases -> their whole pictures and what the network says of them.
        log_p_y: images -> log p(y|x).
        makers: map -> (prediction) -> raw maps.
        fixed: map without knowledge -> [S,S], which gives both questions the same.
        batch_size: birds whose maps are made at once.
    """
    rows: list[Judged] = []
    for group in _groups(cases, batch_size):
        batch, masks = predict(group), torch.stack([case.masks for case in group])  # names a bird it cannot judge
        with torch.inference_mode():
            effects = [effects_of(case, log_p_y) for case in group]
        rivals = torch.tensor([case.rival for case in group], device=batch.targets.device)
        given = {name: given_by(batch, rivals, masks, maps_of) for name, maps_of in makers.items()}
        for name, score_map in fixed.items():
            same = masses(torch.from_numpy(score_map).expand(len(group), -1, -1), masks)
            given[name] = dict.fromkeys(QUESTIONS, same)
        truth = {question: joined_effects([own[question] for own in effects]) for question in QUESTIONS}
        rows.append(Judged(np.array([case.index for case in group]), rivals.cpu().numpy(), truth, given))
    return joined(rows, [*makers, *fixed])


def _groups(cases: Iterable[Case], size: int) -> Iterable[list[Case]]:
    group: list[Case] = []
    for case in cases:
        group.append(case)
        if len(group) == size:
            yield group
            group = []
    if group:
        yield group


def joined_effects(each: Sequence[Effects]) -> Effects:
    """The effects of several groups of birds, one after the other."""
    parts = np.concatenate([np.empty((0, len(PARTS))), *(own.parts for own in each)])
    return Effects(parts, np.concatenate([np.empty(0), *(own.together for own in each)]))


def joined(rows: Sequence[Judged], names: Sequence[str]) -> Judged:
    """Several groups of birds, one after the other."""
    empty = np.empty(0, dtype=np.int64)
    return Judged(
        np.concatenate([empty, *(row.index for row in rows)]),
        np.concatenate([empty, *(row.rivals for row in rows)]),
        {question: joined_effects([row.truth[question] for row in rows]) for question in QUESTIONS},
        {
            name: {
                question: np.concatenate([np.empty((0, len(PARTS))), *(row.given[name][question] for row in rows)])
                for question in QUESTIONS
            }
            for name in names
        },
    )
