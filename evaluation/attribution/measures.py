"""Every number by which the attributions of an image are compared, in one dict."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import NamedTuple

import torch
from torch import Tensor

from calm.attribution.score_map import normalize, resize
from calm.evaluation.attribution.faithfulness import CURVES, Ends, Probability, area, curves, drop, increase
from calm.evaluation.attribution.location import loc, pointing, proportion
from calm.evaluation.pixel_perturb.erasing import rank_by_score

DELTAS = (0.0, 0.25, 0.5)
"""Thresholds of Loc (Grad-CAM++, Section 4.2)."""


def enlarged(maps: Tensor, size: int | tuple[int, int]) -> Tensor:
    """[B,h,w] -> [B,H,W]; made in float64, so that rounding marks no pixel of a flat part."""
    return resize(maps.double(), size).float()


@dataclass(frozen=True)
class Case:
    """A batch of images and their maps by one attribution: all that a measure may look at.

    Pixels are ordered by the raw map; what is shown, and what is compared with the region, is the score map. What
    several measures need is computed once.
    """

    probability: Probability
    images: Tensor
    """[B,3,H,W], normalised."""
    maps: Tensor
    """[B,h,w] raw maps of the explained classes."""
    regions: Tensor
    """[B,H,W], True where the object is."""
    ends: Ends
    steps: int
    """Equal shares of the pixels in the insertion and deletion curves."""
    norm_type: str = "minmax"
    """Of ``attribution.score_map.normalize``."""
    images_per_pass: int = 1
    """Steps of the curves are joined into passes of at most this many images, or of one copy of the batch."""

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the images."""
        height, width = self.images.shape[2:]
        return height, width

    @cached_property
    def resized(self) -> Tensor:
        """[B,H,W] raw maps."""
        return enlarged(self.maps, self.size)

    @cached_property
    def score_maps(self) -> Tensor:
        """[B,H,W] in [0,1]."""
        return normalize(self.resized, self.norm_type)

    @cached_property
    def ranks(self) -> Tensor:
        """[B,H,W], 0 for the most important pixel."""
        return rank_by_score(self.resized, self.size)

    @cached_property
    def masked(self) -> Tensor:
        """[B], p(y|x) of the normalised image times its score map: what the map leaves out fades to the mean colour."""
        return self.probability(self.images * self.score_maps[:, None].to(self.images.dtype))

    @cached_property
    def areas(self) -> dict[str, Tensor]:
        """Name of a curve -> the area under it, [B]."""
        copies = max(1, self.images_per_pass // len(self.images))
        found = curves([*CURVES], self.probability, self.images, self.ranks, self.ends, self.steps, copies=copies)
        return {name: area(curve) for name, curve in found.items()}


class Measure(NamedTuple):
    """A number per image, at most 1 in size, and how its mean is reported."""

    function: Callable[[Case], Tensor]
    """A batch -> [B]; NaN where an image has no such number."""
    title: str
    scale: float
    higher_is_better: bool


LOCATIONS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    **{f"Loc_{round(100 * delta)}": partial(loc, delta=delta) for delta in DELTAS},
    "proportion": proportion,
    "pointing": pointing,
}
"""The measures of place: (score maps [B,H,W] in [0,1], regions [B,H,W]) -> [B], NaN without a region."""


def _placed(name: str) -> Callable[[Case], Tensor]:
    return lambda case: LOCATIONS[name](case.score_maps, case.regions)


MEASURES: dict[str, Measure] = {
    "average_drop": Measure(lambda case: drop(case.ends.full, case.masked), "average drop %", 100, False),
    "increase": Measure(lambda case: increase(case.ends.full, case.masked), "increase %", 100, True),
    **{name: Measure(_placed(name), f"Loc({d:g})", 1, True) for d in DELTAS for name in [f"Loc_{round(100 * d)}"]},
    "proportion": Measure(_placed("proportion"), "proportion %", 100, True),
    "pointing": Measure(_placed("pointing"), "pointing %", 100, True),
    "insertion": Measure(lambda case: case.areas["insertion"], "insertion AUC", 1, True),
    "deletion": Measure(lambda case: case.areas["deletion"], "deletion AUC", 1, False),
}


@torch.inference_mode()
def measured(case: Case) -> dict[str, Tensor]:
    """Name -> number per image, of every measure; each [B]."""
    return {name: measure.function(case) for name, measure in MEASURES.items()}
