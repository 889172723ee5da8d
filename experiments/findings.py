"""A difference, how sure it is, and what follows from it for a claim."""

import statistics
from collections.abc import Mapping
from typing import NamedTuple

from calm.evaluation.intervals import interval_over_seeds

BySeed = Mapping[int | None, float]
"""Seed of the training, None where it is not known -> a number."""
HOLDS, FAILS, OPEN = "holds", "does not hold", "undecided"


class Finding(NamedTuple):
    """CALM minus what it is compared with."""

    label: str
    difference: float
    interval: tuple[float, float] | None
    """95 %; None for one run, of which nothing says how sure it is."""
    better: int
    """1 where a higher number supports the claim, -1 where a lower one does."""
    digits: int = 1
    tolerance: float = 0.0
    """How far below 0, in the claim's direction, the claim still holds."""

    @property
    def verdict(self) -> str:
        """Whether the whole interval lies on the claim's side, or on the other."""
        if self.interval is None:
            return OPEN
        low, high = sorted(self.better * end + self.tolerance for end in self.interval)
        return HOLDS if low > 0 else FAILS if high < 0 else OPEN

    def text(self) -> str:
        """Label, verdict, difference and interval."""
        return f"{self.label}: {f'**{self.verdict}**' if self.interval else 'one run'}, {self.figures()}"

    def figures(self) -> str:
        """Difference and interval."""
        ends = self.interval and f" [{', '.join(f'{end:+.{self.digits}f}' for end in self.interval)}]"
        return f"{self.difference:+.{self.digits}f}{ends or ''}".replace("-", "−")


def over_seeds(one: BySeed, other: BySeed) -> tuple[float, tuple[float, float] | None]:
    """Mean difference over the seeds that both have, and its 95 % interval by Student's t; None for a single seed."""
    each = [value - other[seed] for seed, value in one.items() if seed in other]
    return statistics.fmean(each), interval_over_seeds(each)
