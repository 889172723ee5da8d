"""Which way is better, of every number by which results files judge a network or its maps."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from calm.evaluation.attribution.comparison import BASELINE
from calm.evaluation.attribution.measures import MEASURES
from calm.evaluation.intervention.agreement import COMPLETENESS, LARGEST, RANK
from calm.evaluation.intervention.measure import QUESTIONS
from calm.evaluation.pixel_perturb.erasing import PERCENTAGES


class Direction(NamedTuple):
    """What a number says."""

    better: str
    """"higher" or "lower"."""
    by_chance: Callable[[int], float] | None = None
    """Number of classes -> what needs no knowledge to get; None: the results' baselines say it, or nothing does."""


HIGHER, LOWER = Direction("higher"), Direction("lower")
GUESSED = Direction("higher", lambda num_classes: 100 / num_classes)
ERASED_AT_RANDOM = Direction("lower", lambda num_classes: 1.0)
LEVELS = range(1, 100)
"""IoU levels that ``iou_thresholds`` may name, in percent."""

DIRECTIONS: dict[str, Mapping[str, Direction]] = {
    "accuracy": {"accuracy": GUESSED},
    "cue_location": dict.fromkeys(("mPxAP", "mPxAP_1", "mPxAP_2", "mPxAP_3"), HIGHER),
    "pixel_perturb": {"accuracy": GUESSED, **{f"R_{k}": ERASED_AT_RANDOM for k in PERCENTAGES}},
    "wsol": dict.fromkeys(
        ("MaxBoxAcc", "MaxBoxAccV2", *(f"MaxBoxAcc_{level}" for level in LEVELS), "PxAP", "Top1Loc", "Top5Loc"), HIGHER
    ),
    "attribution": {
        **{name: HIGHER if measure.higher_is_better else LOWER for name, measure in MEASURES.items()},
        f"win_over_{BASELINE}": HIGHER,
    },
    "intervention": {f"{question}_{name}": HIGHER for question in QUESTIONS for name in (RANK, LARGEST, COMPLETENESS)},
}
"""Evaluation -> metric of its results files -> direction; counts and the like have none."""
