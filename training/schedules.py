"""Rules for the learning rate: the factor on every learning rate at each step of a training."""

import math
from collections.abc import Callable
from typing import NamedTuple


class Course(NamedTuple):
    """How long a training is, and what shapes its learning rate."""

    steps: int
    """Of an epoch."""
    epochs: int
    warmup_epochs: int = 0
    """Epochs at the start in which the rate rises from nearly 0."""
    decay_frequency: int = 30
    """Epochs between two steps of the step decay."""


def step_decay(step: int, course: Course) -> float:
    """x0.1 at the start of epochs f, 2f, ..., counted from 1."""
    return 0.1 ** ((step // course.steps + 1) // course.decay_frequency)


def cosine_decay(step: int, course: Course) -> float:
    """Half a cosine from 1 at the end of the warm-up to 0 at the end of the training (Loshchilov and Hutter, 2017)."""
    start, end = course.warmup_epochs * course.steps, course.epochs * course.steps
    return 0.5 * (1 + math.cos(math.pi * min(max(step - start, 0) / max(end - start, 1), 1)))


SCHEDULES: dict[str, Callable[[int, Course], float]] = {"step": step_decay, "cosine": cosine_decay}
"""Name -> (steps made so far, course) -> factor."""


def rate_factor(step: int, *, schedule: str, course: Course) -> float:
    """What the schedule says, times a warm-up that rises to 1 in equal steps.

    Args:
        step: steps made so far, over all epochs.
        schedule: a key of ``SCHEDULES``.
        course: of the training.
    """
    warmup = course.warmup_epochs * course.steps
    rise = (step + 1) / warmup if step < warmup else 1.0
    return rise * SCHEDULES[schedule](step, course)
