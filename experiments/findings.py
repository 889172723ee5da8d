"""A difference, how sure it is, and what follows from it for a claim."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

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
    each: Sequence[float] = ()
    """The difference of each seed, where the interval is over images and says nothing of other seeds."""

    @property
    def verdict(self) -> str:
        """Whether the whole interval, and that over the seeds, lie on the claim's side, or on the other."""
        if self.interval is None:
            return OPEN
        verdicts = {self._side(own) for own in (self.interval, interval_over_seeds(self.each)) if own}
        return verdicts.pop() if len(verdicts) == 1 else OPEN

    def _side(self, interval: Sequence[float]) -> str:
        low, high = sorted(self.better * end + self.tolerance for end in interval)
        return HOLDS if low > 0 else FAILS if high < 0 else OPEN

    def text(self) -> str:
        """Label, verdict, difference, interval, and the seeds' own with their interval where there are several."""
        seeds, ends = ", ".join(map(self._signed, self.each)), interval_over_seeds(self.each)
        seeds = f", seeds {seeds}, t [{', '.join(map(self._signed, ends))}]" if ends else ""
        return f"{self.label}: {f'**{self.verdict}**' if self.interval else 'one run'}, {self.figures()}{seeds}"

    def figures(self) -> str:
        """Difference and interval."""
        ends = f" [{', '.join(map(self._signed, self.interval))}]" if self.interval else ""
        return f"{self._signed(self.difference)}{ends}"

    def _signed(self, value: float) -> str:
        return f"{value:+.{self.digits}f}".replace("-", "−")


def of_kept(label: str, kept: Mapping[str, Any], better: int = 1, digits: int = 1, tolerance: float = 0.0) -> Finding:
    """A finding from a kept paired difference."""
    return Finding(label, kept["difference"], kept["interval"], better, digits, tolerance, kept["each"])


def over_seeds(one: BySeed, other: BySeed) -> tuple[float, tuple[float, float] | None]:
    """Mean difference over the seeds that both have, and its 95 % interval by Student's t; None for a single seed."""
    each = [value - other[seed] for seed, value in one.items() if seed in other]
    return statistics.fmean(each), interval_over_seeds(each)
