"""Running counts: a pure update, an additive state, a pure compute; merging is addition, also across processes."""

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from calm import distributed


class Metric(Protocol):
    """What every metric offers."""

    def update(self, *args: Any, **options: Any) -> None:
        """Count a batch or an item."""

    def totals(self) -> list[Tensor]:
        """The state itself: int64 tensors that add up over disjoint parts of the data."""

    def compute(self) -> dict[str, float]:
        """Name -> value, from the state alone."""


def merge(metric: Metric, other: Metric) -> None:
    """Add the counts of ``other`` to ``metric``."""
    for mine, theirs in zip(metric.totals(), other.totals(), strict=True):
        mine += theirs


def reduce(metric: Metric) -> None:
    """Add the counts of all processes, in every process."""
    distributed.all_reduce_sum(metric.totals())


class Accuracy:
    """Share of images whose most probable class is the target, in percent."""

    def __init__(self) -> None:
        self._counts = torch.zeros(2, dtype=torch.int64)  # correct, seen
        self._pending: Tensor | None = None

    def update(self, log_p_y: Tensor, targets: Tensor) -> None:
        """Count a batch where it is, so that nothing waits for a device.

        Args:
            log_p_y: [B,K], any monotone class score.
            targets: [B].
        """
        correct = (log_p_y.argmax(dim=1) == targets).sum()
        self._pending = correct if self._pending is None else self._pending + correct
        self._counts[1] += len(targets)

    def totals(self) -> list[Tensor]:
        """[correct, seen]."""
        if self._pending is not None:
            self._counts[0] += int(self._pending)
            self._pending = None
        return [self._counts]

    def compute(self) -> dict[str, float]:
        """{"accuracy": percent}; NaN before the first update."""
        correct, seen = self.totals()[0].tolist()
        return {"accuracy": 100.0 * correct / seen if seen else float("nan")}


class PerturbationRatio:
    """Remove-and-classify: accuracies after erasing k % of the pixels, by attribution and at random, and their ratio.

    ``R_k = A_k / A_k^r`` (paper, Section 5.3); lower is better.
    """

    def __init__(self, percentages: Sequence[int]) -> None:
        self.percentages = tuple(percentages)
        self._clean = torch.zeros(2, dtype=torch.int64)  # correct, seen
        self._erased = torch.zeros(2, len(self.percentages), dtype=torch.int64)  # correct: by attribution, at random
        self._pending: Tensor | None = None

    def update(self, targets: Tensor, clean: Tensor, ranked: Tensor, random: Tensor) -> None:
        """Count a batch where it is, so that nothing waits for a device.

        Args:
            targets: [B] true classes.
            clean: [B] classes predicted for the whole images.
            ranked: [n,B] classes predicted with the first n shares of the attribution's order erased.
            random: [n,B] the same for a random order.
        """
        predictions = torch.cat([clean[None], ranked, random])
        correct = (predictions == targets).sum(dim=1)
        self._pending = correct if self._pending is None else self._pending + correct
        self._clean[1] += len(targets)

    def totals(self) -> list[Tensor]:
        """[correct, seen] of the whole images; correct counts [2,n] of the erased ones."""
        if self._pending is not None:
            clean, erased = self._pending.cpu().split([1, self._erased.numel()])
            self._clean[0] += clean[0]
            self._erased += erased.view_as(self._erased)
            self._pending = None
        return [self._clean, self._erased]

    def counts(self) -> dict[str, int | dict[str, int]]:
        """num_images, and how many were right per k: correct, correct_random."""
        clean, erased = self.totals()
        ranked, random = erased.tolist()
        names = [str(percentage) for percentage in self.percentages]
        return {
            "num_images": int(clean[1]),
            "correct": dict(zip(names, ranked, strict=True)),
            "correct_random": dict(zip(names, random, strict=True)),
        }

    def compute(self) -> dict[str, float]:
        """accuracy, A_k and Ar_k in percent, R_k as a ratio; NaN where there is nothing to divide by."""
        (clean, seen), (ranked, random) = (counts.tolist() for counts in self.totals())
        share = 100.0 / seen if seen else float("nan")
        values = {"accuracy": clean * share}
        values |= {f"A_{k}": count * share for k, count in zip(self.percentages, ranked, strict=True)}
        values |= {f"Ar_{k}": count * share for k, count in zip(self.percentages, random, strict=True)}
        for k, count, count_random in zip(self.percentages, ranked, random, strict=True):
            values[f"R_{k}"] = count / count_random if count_random else float("nan")
        return values
