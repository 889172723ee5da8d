"""Running counts: a pure update, an additive state, a pure compute; merging is addition, also across processes."""

from typing import Protocol

import torch
from torch import Tensor

import distributed


class Metric(Protocol):
    """What every metric offers."""

    def update(self, *args) -> None:
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

    def update(self, log_p_y: Tensor, targets: Tensor) -> None:
        """Count a batch.

        Args:
            log_p_y: [B,K], any monotone class score.
            targets: [B].
        """
        correct = (log_p_y.argmax(dim=1) == targets).sum()
        self._counts += torch.tensor([int(correct), len(targets)])

    def totals(self) -> list[Tensor]:
        """[correct, seen]."""
        return [self._counts]

    def compute(self) -> dict[str, float]:
        """{"accuracy": percent}; NaN before the first update."""
        correct, seen = self._counts.tolist()
        return {"accuracy": 100.0 * correct / seen if seen else float("nan")}
