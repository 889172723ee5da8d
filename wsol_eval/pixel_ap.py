"""Average precision over pixels, of cue localisation: exact, and with the released bins.

Both come from two counts per threshold t, pixels with score >= t and cue pixels among them. Counts add up over
disjoint parts of the pixels, hence over processes, once all parts agree on the thresholds: exact AP takes every
distinct score of a cue pixel, since recall changes at no other, and the released protocol its fixed edges.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

RELEASED_TOP = (1.0, 2.0, 3.0)
"""The edges that close the released bins; a score of exactly 1 has a bin of its own."""


class Curve(NamedTuple):
    """Precision and recall, float64 [T], thresholds descending, so recall never falls."""

    precision: np.ndarray
    recall: np.ndarray

    @property
    def average_precision(self) -> float:
        """Sum of precision times the step in recall, in [0,1]."""
        return float(self.precision @ np.diff(self.recall, prepend=0.0))

    def precision_at(self, recall: np.ndarray) -> np.ndarray:
        """Precision at the highest threshold that reaches each recall in [0,1]."""
        return self.precision[np.searchsorted(self.recall, recall).clip(max=len(self.recall) - 1)]


class CountedPixels(Protocol):
    """Pixels that can be counted at any thresholds."""

    def distinct(self) -> Tensor:
        """The different scores of the cue pixels, ascending, on the CPU."""

    def count(self, thresholds: Tensor) -> Tensor:
        """int64 [2,T]: pixels with score >= each threshold, and cue pixels among them, on the CPU.

        Args:
            thresholds: [T], ascending, of the scores' dtype.
        """


class PixelScores:
    """The scores of some pixels, sorted once to be counted at any thresholds.

    Args:
        scores: float of any shape, without NaN.
        mask: bool of the same shape, true at the cue.
    """

    def __init__(self, scores: Tensor, mask: Tensor) -> None:
        self._all = _sorted(scores.flatten())
        self._cue = _sorted(scores[mask])

    def distinct(self) -> Tensor:
        """The different scores of the cue pixels, ascending, on the CPU."""
        return self._cue.unique_consecutive().cpu()

    def count(self, thresholds: Tensor) -> Tensor:
        """int64 [2,T]: pixels with score >= each threshold, and cue pixels among them, on the CPU.

        Args:
            thresholds: [T], ascending, of the scores' dtype.
        """
        thresholds = thresholds.to(self._all.device)
        below = [torch.searchsorted(scores, thresholds) for scores in (self._all, self._cue)]
        return torch.stack([len(self._all) - below[0], len(self._cue) - below[1]]).cpu()


class RepeatedScores:
    """As ``PixelScores``, of one score map that many images share: what counts is how often each pixel is cue.

    Args:
        scores: [S,S], float without NaN.
        cue: int64 [S,S], in how many images the pixel belongs to the cue.
        images: their number.
    """

    def __init__(self, scores: Tensor, cue: Tensor, images: int) -> None:
        self._scores, order = scores.flatten().sort()
        cue = cue.flatten()[order]
        pixels = torch.full_like(cue, images)
        self._from = F.pad(torch.stack([pixels, cue]).flip(1).cumsum(dim=1).flip(1), (0, 1))  # [2, S*S + 1]
        self._distinct = self._scores[cue > 0].unique_consecutive()

    def distinct(self) -> Tensor:
        """The different scores of the cue pixels, ascending, on the CPU."""
        return self._distinct.cpu()

    def count(self, thresholds: Tensor) -> Tensor:
        """int64 [2,T]: pixels with score >= each threshold, and cue pixels among them, on the CPU (see above)."""
        below = torch.searchsorted(self._scores, thresholds.to(self._scores.device))
        return self._from[:, below].cpu()


def _sorted(scores: Tensor) -> Tensor:
    """Values ascending; NumPy sorts values alone, several times faster than PyTorch, which keeps track of indices."""
    if scores.device.type == "cpu":
        return torch.from_numpy(np.sort(scores.numpy()))
    return scores.sort().values


def curve(counts: Tensor) -> Curve | None:
    """Counts [2,T] at ascending thresholds -> curve; None where no cue pixel reaches the lowest threshold.

    Only pixels at or above the lowest threshold exist for it, in recall too.
    """
    pixels, cue = counts.flip(1).double().numpy()
    if not len(cue) or not cue[-1]:
        return None
    return Curve(np.divide(cue, pixels, out=np.ones_like(cue), where=pixels > 0), cue / cue[-1])


class PixelHistogram:
    """Pixels and cue pixels from each threshold up, of any number of images (a metric of ``evaluation.metrics``).

    Args:
        edges: [T] thresholds, ascending, of the scores' dtype.
    """

    def __init__(self, edges: Tensor) -> None:
        self.edges = edges
        self._counts = torch.zeros(2, len(edges), dtype=torch.int64)

    def update(self, pixels: CountedPixels) -> None:
        """Count some pixels."""
        self._counts += pixels.count(self.edges)

    def totals(self) -> list[Tensor]:
        """[pixels with score >= each edge and cue pixels among them, [2,T]]."""
        return [self._counts]

    def curve(self) -> Curve | None:
        """Precision and recall at the edges; None where no cue pixel reaches the lowest."""
        return curve(self._counts)

    def compute(self) -> dict[str, float]:
        """{"PxAP": percent}; NaN where no cue pixel reaches the lowest edge."""
        found = self.curve()
        return {"PxAP": 100 * found.average_precision if found else float("nan")}


def exact_curve(
    pixels: CountedPixels,
    *,
    gather: Callable[[Tensor], Sequence[Tensor]] = lambda item: [item],
    add: Callable[[Sequence[Tensor]], None] = lambda tensors: None,
) -> Curve | None:
    """Curve of all pixels, through every distinct score of a cue pixel (paper, Section 5.2).

    Its average precision is scikit-learn's ``average_precision_score``, ties included.

    Args:
        pixels: this process's share.
        gather: an item -> the items of all processes.
        add: replaces tensors by their sums over all processes, in place.
    """
    thresholds = torch.cat(list(gather(pixels.distinct()))).unique()
    counts = pixels.count(thresholds)
    add([counts])
    return curve(counts)


def released_edges(kind: str, interval: float) -> Tensor:
    """Lower edges of the released bins, ascending, as float32 thresholds [1/interval + 2].

    Args:
        kind: "even" (0, i, 2i ... below 1) or "log" (10^-t for t = 0, 7i, 14i ... below 7).
        interval: i.

    The edges are float64 numbers; each becomes the least float32 not below it, which no float32 score can tell from
    it. The topmost edge, 3, only closes the last bin.
    """
    steps = interval * np.arange(int(np.ceil(1 / interval - 1e-9)))
    lower = {"even": steps, "log": np.sort(10.0 ** (-7 * steps))}[kind]
    edges = np.append(lower, RELEASED_TOP[:-1])
    rounded = edges.astype(np.float32)
    return torch.from_numpy(np.where(rounded < edges, np.nextafter(rounded, np.float32(np.inf)), rounded))
