"""Localisation with masks: PxAP, the area under the pixel-wise precision-recall curve over all images."""

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from calm.wsol_eval.boxes import as_score_map, even_thresholds
from calm.wsol_eval.pixel_ap import RELEASED_TOP, Curve, curve

OBJECT, IGNORED = 1, 255


class PxAP:
    """Average precision in percent of all pixels of all images, from two histograms of the score.

    The state is a few kilobytes however many images are counted. The bins are closed below and open above, with edges
    0, i, 2i ... below 1 and 1, 2, 3: a score of exactly 1 has a bin of its own.

    Args:
        interval: width i of the bins.
    """

    def __init__(self, interval: float = 0.001) -> None:
        self.edges = bin_edges(interval)
        self._interval = interval
        self._counts = torch.zeros(2, len(self.edges) - 1, dtype=torch.int64)  # background, object

    def update(self, score_map: Tensor | ArrayLike, mask: Tensor | ArrayLike) -> None:
        """Count the pixels of a map.

        Args:
            score_map: [H,W] in [0,1].
            mask: [H,W], 1 object, 0 background, 255 ignored.
        """
        self.add(pixel_histograms(score_map, mask, self.edges, self._interval))

    def add(self, histograms: np.ndarray) -> None:
        """Count a map by its ``pixel_histograms``."""
        self._counts += torch.from_numpy(histograms)

    def totals(self) -> list[Tensor]:
        """[pixels per bin [2, number of bins], background first]."""
        return [self._counts]

    def curve(self) -> Curve | None:
        """Precision and recall at the lower edge of each bin; None while no object pixel was counted."""
        pixels = torch.stack([self._counts.sum(dim=0), self._counts[1]])
        return curve(pixels.flip(1).cumsum(dim=1).flip(1))

    def compute(self) -> dict[str, float]:
        """{"PxAP": percent}, the sum of precision times the step in recall; NaN while no object pixel was counted."""
        return {name: value.item() for name, value in self.values(*self.totals()).items()}

    def values(self, counts: Tensor) -> dict[str, Tensor]:
        """What ``compute`` says of other totals, [...,2,number of bins], of any number at once."""
        background, found = counts.flip(-1).cumsum(dim=-1).double().unbind(dim=-2)
        pixels, total = background + found, found[..., -1:]
        precision = torch.where(pixels > 0, found / pixels.clamp(min=1), 1.0)
        steps = found.diff(dim=-1, prepend=torch.zeros_like(total)) / total
        return {"PxAP": 100 * (precision * steps).sum(dim=-1)}


def bin_edges(interval: float) -> np.ndarray:
    """0, i, 2i ... below 1, then 1, 2, 3; float64."""
    return np.append(even_thresholds(interval), RELEASED_TOP)


def pixel_histograms(
    score_map: Tensor | ArrayLike, mask: Tensor | ArrayLike, edges: np.ndarray, interval: float
) -> np.ndarray:
    """Pixels per bin, background and object, int64 [2, len(edges) - 1]; equal to ``np.histogram`` over ``edges``.

    The quotient by the interval finds the bin but for rounding, which one comparison with either edge mends.
    """
    scores = as_score_map(score_map).astype(np.float64, copy=False).ravel()
    labels = np.asarray(mask.detach().cpu() if isinstance(mask, Tensor) else mask)
    if labels.shape != np.shape(score_map):
        raise ValueError(f"a map of shape {np.shape(score_map)} has a mask of shape {labels.shape}")
    labels = labels.ravel()
    is_object, is_ignored = labels == OBJECT, labels == IGNORED
    if not (is_object | is_ignored | (labels == 0)).all():
        raise ValueError("a mask is 1 (object), 0 (background) and 255 (ignored), nothing else")
    ones_bin = len(edges) - len(RELEASED_TOP)
    bins = np.minimum((scores / interval).astype(np.int64), ones_bin)
    bins -= scores < edges[bins]
    bins += scores >= edges[bins + 1]
    bins += is_object * (len(edges) - 1)
    return np.bincount(bins[~is_ignored], minlength=2 * (len(edges) - 1)).reshape(2, -1).astype(np.int64)
