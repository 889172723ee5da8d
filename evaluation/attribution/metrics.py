"""How faithful and how well placed a score map is: one number per image, and means that add up across processes.

The numbers are those by which the CAM family is compared: Grad-CAM++ (Chattopadhyay et al., 2018, Section 4) gave
average drop, increase, win and the localisation Loc(delta); Score-CAM (Wang et al., 2020) the proportion of energy;
Zhang et al. (2016) the pointing game; RISE (Petsiuk et al., 2018) the insertion and deletion areas.

Score maps are [B,H,W] in [0,1]; regions [B,H,W] are True where the object is; probabilities are p(y|x) of the explained
class. An image without any region has no number (NaN) there and is left out of that mean.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

DELTAS = (0.0, 0.25, 0.5)
"""Thresholds of Loc (Grad-CAM++, Section 4.2)."""


class Column(NamedTuple):
    """How the mean of a per-image number is reported."""

    title: str
    scale: float
    higher_is_better: bool


COLUMNS = {
    "average_drop": Column("average drop %", 100, False),
    "increase": Column("increase %", 100, True),
    **{f"Loc_{round(100 * delta)}": Column(f"Loc({delta:g})", 1, True) for delta in DELTAS},
    "proportion": Column("proportion %", 100, True),
    "pointing": Column("pointing %", 100, True),
    "insertion": Column("insertion AUC", 1, True),
    "deletion": Column("deletion AUC", 1, False),
}


def drop(full: Tensor, masked: Tensor) -> Tensor:
    """max(0, p - p') / p, [B] in [0,1]: the share of the confidence p that is lost when only the map is shown.

    Args:
        full: [B], p(y|x) of the image.
        masked: [B], p' of the image times its score map.
    """
    return torch.where(full > 0, (full - masked).clamp_min(0) / full, torch.zeros_like(full))


def increase(full: Tensor, masked: Tensor) -> Tensor:
    """1 where showing only the map raised the confidence, else 0; [B] (arguments as of ``drop``)."""
    return (masked > full).to(full.dtype)


def loc(score_maps: Tensor, regions: Tensor, delta: float) -> Tensor:
    """IoU(delta) = Area(internal) / (Area(bbox) + Area(external)), [B] in [0,1].

    The map marks the pixels strictly above ``delta``: those inside the box are internal, those outside external.
    """
    marked = score_maps > delta
    internal = (marked & regions).sum(dim=(1, 2)).double()
    external = (marked & ~regions).sum(dim=(1, 2))
    return _where_any(regions, internal / (regions.sum(dim=(1, 2)) + external).clamp_min(1))


def proportion(score_maps: Tensor, regions: Tensor) -> Tensor:
    """sum_{inside} s / (sum_{inside} s + sum_{outside} s), [B] in [0,1]; 0 for a map of zeros."""
    scores = score_maps.double()
    total = scores.sum(dim=(1, 2))
    inside = (scores * regions).sum(dim=(1, 2))
    return _where_any(regions, torch.where(total > 0, inside / total, torch.zeros_like(total)))


def pointing(score_maps: Tensor, regions: Tensor) -> Tensor:
    """1 where the highest score lies inside, else 0; [B]. The first pixel counts on ties; no margin is allowed.

    A constant map points nowhere and misses.
    """
    scores = score_maps.flatten(1)
    hit = regions.flatten(1).gather(1, scores.argmax(dim=1, keepdim=True))[:, 0]
    return _where_any(regions, (hit & (scores.amax(dim=1) > scores.amin(dim=1))).double())


def area(curve: Tensor) -> Tensor:
    """Area under probabilities [n+1,B] taken at equal steps from 0 to 1, by the trapezoid rule; [B]."""
    return torch.trapezoid(curve.double(), dim=0) / (len(curve) - 1)


def localisation(score_maps: Tensor, regions: Tensor) -> dict[str, Tensor]:
    """Loc at every delta, proportion and pointing; each [B]."""
    values = {f"Loc_{round(100 * delta)}": loc(score_maps, regions, delta) for delta in DELTAS}
    return values | {"proportion": proportion(score_maps, regions), "pointing": pointing(score_maps, regions)}


def _where_any(regions: Tensor, values: Tensor) -> Tensor:
    return values.masked_fill(~regions.flatten(1).any(dim=1), float("nan"))


class Means:
    """Means of per-image numbers, exact whatever the order: sums in units of 2^-32 are whole numbers."""

    _UNIT = 2**32

    def __init__(self, names: Sequence[str] = tuple(COLUMNS)) -> None:
        self.names = tuple(names)
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
        """Name -> mean in the unit of ``COLUMNS``; NaN where nothing was counted."""
        means = self._sums.double() / self._UNIT / self._counts
        scales = [COLUMNS[name].scale for name in self.names]
        return {name: scale * mean for name, scale, mean in zip(self.names, scales, means.tolist(), strict=True)}


class Wins:
    """Win %: how often one method's drop is below another's on the same image; a tie is nobody's win."""

    def __init__(self, methods: Sequence[str]) -> None:
        self.methods = tuple(methods)
        self._wins = torch.zeros(len(self.methods), len(self.methods), dtype=torch.int64)
        self._seen = torch.zeros(1, dtype=torch.int64)

    def update(self, drops: Tensor) -> None:
        """Count a batch: [methods,B] drops, the same images in every row."""
        self._wins += (drops[:, None] < drops[None]).sum(dim=2).cpu()
        self._seen += drops.shape[1]

    def totals(self) -> list[Tensor]:
        """[wins [methods,methods], images seen]."""
        return [self._wins, self._seen]

    def compute(self) -> dict[str, float]:
        """ "A over B" -> percent of the images; NaN before the first update."""
        shares = 100.0 * self._wins.double() / self._seen
        pairs = [(a, b) for a in range(len(self.methods)) for b in range(len(self.methods)) if a != b]
        return {f"{self.methods[a]} over {self.methods[b]}": shares[a, b].item() for a, b in pairs}
