"""Means of the measures, and who wins how often; both add up across processes."""

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor

from calm.evaluation.attribution.measures import MEASURES


def scales_of(names: Iterable[str]) -> dict[str, float]:
    """Some of ``MEASURES`` -> the scales of their means."""
    return {name: MEASURES[name].scale for name in names}


class Means:
    """Means of per-image numbers, exact whatever the order: sums in units of 2^-32 are whole numbers.

    Args:
        scales: name -> what its mean is multiplied by; None takes all of ``MEASURES``.
    """

    _UNIT = 2**32

    def __init__(self, scales: Mapping[str, float] | None = None) -> None:
        self._scales = scales_of(MEASURES) if scales is None else scales
        self.names = tuple(self._scales)
        self._sums = torch.zeros(len(self.names), dtype=torch.int64)
        self._counts = torch.zeros(len(self.names), dtype=torch.int64)

    def update(self, values: Mapping[str, Tensor]) -> None:
        """Count a batch: a tensor [B] for every name, at most 1 in size; a NaN is left out."""
        numbers = torch.stack([values[name].double().cpu() for name in self.names])
        known = ~numbers.isnan()
        self._sums += (numbers.nan_to_num(0) * self._UNIT).round().long().sum(dim=1)
        self._counts += known.sum(dim=1)

    def totals(self) -> list[Tensor]:
        """[sums, counts], each [names]."""
        return [self._sums, self._counts]

    def compute(self) -> dict[str, float]:
        """Name -> mean times its scale; NaN where nothing was counted."""
        means = self._sums.double() / self._UNIT / self._counts
        return {name: self._scales[name] * mean for name, mean in zip(self.names, means.tolist(), strict=True)}


class Wins:
    """Win %: how often one attribution's drop is below another's on the same image; a tie is nobody's win."""

    def __init__(self, labels: Sequence[str]) -> None:
        self.labels = tuple(labels)
        self._wins = torch.zeros(len(self.labels), len(self.labels), dtype=torch.int64)
        self._seen = torch.zeros(1, dtype=torch.int64)

    def update(self, drops: Tensor) -> None:
        """Count a batch: [labels,B] drops, the same images in every row."""
        self._wins += (drops[:, None] < drops[None]).sum(dim=2).cpu()
        self._seen += drops.shape[1]

    def totals(self) -> list[Tensor]:
        """[wins [labels,labels], images seen]."""
        return [self._wins, self._seen]

    def compute(self) -> dict[str, float]:
        """ "A over B" -> percent of the images; NaN before the first update."""
        shares = 100.0 * self._wins.double() / self._seen
        pairs = [(a, b) for a in range(len(self.labels)) for b in range(len(self.labels)) if a != b]
        return {f"{self.labels[a]} over {self.labels[b]}": shares[a, b].item() for a, b in pairs}
