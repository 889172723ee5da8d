"""Scores of many maps against the true places of their objects, one image at a time, in this process or in several."""

import multiprocessing
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import cv2
import numpy as np
from torch import Tensor

from calm.data_loaders.truth import Truth
from calm.evaluation.file_maps import score_map_at
from calm.evaluation.uninformed import uninformed_maps
from calm.evaluation.wsol.resampled import ResampledCounts
from calm.wsol_eval import MaxBoxAcc, PxAP
from calm.wsol_eval.boxes import even_thresholds, grey_levels, grey_map, matches
from calm.wsol_eval.contours import largest_box
from calm.wsol_eval.hits import SINGLE, box_hits
from calm.wsol_eval.max_box_acc import TopLoc
from calm.wsol_eval.pxap import bin_edges, pixel_histograms

PER_WORKER = 4
"""Maps under way per worker: enough to keep it busy, few enough for constant memory."""
TOP_IOU = 50
"""The IoU level of MaxBoxAcc and of top-k localisation, in percent."""


Value = TypeVar("Value")


class Scores(NamedTuple):
    """What one map adds to the metrics; None without the truth it needs."""

    hits: np.ndarray | None
    """bool [2, levels, T] of ``wsol_eval.hits.box_hits``."""
    histograms: np.ndarray | None
    """int64 [2, bins] of ``wsol_eval.pxap.pixel_histograms``."""
    beside: tuple["Scores", ...] = ()
    """The same of the maps without knowledge on this image, in the order of ``evaluation.uninformed.UNINFORMED``, and
    of further maps."""


class _Fixed(NamedTuple):
    """A map without knowledge, which has one contour at every threshold."""

    score_map: np.ndarray
    boxes: np.ndarray
    """Its different boxes [n,4]."""
    box_of: np.ndarray
    """[T]: which of them is the one at each threshold."""


@dataclass(frozen=True)
class Scorer:
    """(truth, score maps or files) -> scores of the first. Small and picklable, so it goes to workers as it is."""

    interval: float
    ious: tuple[int, ...]
    size: int

    def __call__(self, truth: Truth, *score_maps: np.ndarray | Path) -> Scores:
        mask, fixed = truth.mask(self.size), _fixed_maps(self.size, self.interval)
        first, *further = (self._scores(score_map, truth, mask) for score_map in score_maps)
        uninformed = [Scores(self._hits_of(own, truth), self._histograms(own.score_map, mask)) for own in fixed]
        return first._replace(beside=(*uninformed, *further))

    def _scores(self, score_map: np.ndarray | Path, truth: Truth, mask: np.ndarray | None) -> Scores:
        if isinstance(score_map, Path):
            score_map = score_map_at(score_map, self.size)
        hits = None
        if truth.boxes is not None:
            hits = box_hits(score_map, truth.boxes, even_thresholds(self.interval), self.ious)
        return Scores(hits, self._histograms(score_map, mask))

    def _histograms(self, score_map: np.ndarray, mask: np.ndarray | None) -> np.ndarray | None:
        if mask is None:
            return None
        return pixel_histograms(score_map, mask, bin_edges(self.interval), self.interval)

    def _hits_of(self, fixed: _Fixed, truth: Truth) -> np.ndarray | None:
        """``box_hits`` of a map without knowledge."""
        if truth.boxes is None:
            return None
        return np.stack([matches(fixed.boxes, truth.boxes, self.ious)[fixed.box_of].T] * 2)


@cache
def _fixed_maps(size: int, interval: float) -> list[_Fixed]:
    """The maps without knowledge [size,size]."""
    maps = uninformed_maps(size).values()
    each = (np.unique(boxes_at(own, even_thresholds(interval)), axis=0, return_inverse=True) for own in maps)
    return [_Fixed(own, boxes, box_of.reshape(-1)) for own, (boxes, box_of) in zip(maps, each)]


def boxes_at(score_map: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Box [T,4] of the largest contour at every threshold in [0,1)."""
    grey = grey_map(score_map)
    levels, level_of = np.unique(grey_levels(grey, thresholds), return_inverse=True)
    return np.concatenate([largest_box(grey, level) for level in levels.tolist()])[level_of]


def found_box(score_map: np.ndarray, threshold: float) -> np.ndarray:
    """Box [4] of the largest contour at a threshold in [0,1)."""
    return boxes_at(score_map, np.array([threshold]))[0]


def _known(value: Value | None) -> Value:
    if value is None:
        raise ValueError("an image without the truth, or the rank, that a metric of its data set counts")
    return value


class Localisation:
    """The metrics of a data set: MaxBoxAcc for boxes, PxAP for masks, TopLoc for boxes and a classifying network.

    Args:
        scorer: whose scores are counted.
        boxes: whether there are true boxes.
        masks: whether there are true masks.
        ranks: whether the rank of the true class is known.
        replicates: how often the images are drawn again.
    """

    def __init__(self, scorer: Scorer, *, boxes: bool, masks: bool, ranks: bool, replicates: int = 0) -> None:
        self._thresholds = even_thresholds(scorer.interval)
        self._top_level = scorer.ious.index(TOP_IOU) if TOP_IOU in scorer.ious else None
        self.boxes = MaxBoxAcc(scorer.interval, scorer.ious) if boxes else None
        self.masks = PxAP(scorer.interval) if masks else None
        self.top = TopLoc(scorer.interval) if boxes and ranks and self._top_level is not None else None
        shapes = [metric.totals()[-1].shape for metric in self._metrics()] if replicates else []
        self._again = [ResampledCounts(shape, replicates=replicates) for shape in shapes]

    def update(self, scores: Scores, rank: int | None, index: int) -> None:
        """Count one image.

        Args:
            scores: of its map.
            rank: number of classes more probable than the true one.
            index: its place in the data set.
        """
        counts = [_known(scores.hits)] if self.boxes else []
        counts += [_known(scores.histograms)] if self.masks else []
        if self.top:
            counts.append(self.top.hits(_known(scores.hits)[SINGLE, self._top_level], _known(rank)))
        for metric, own in zip(self._metrics(), counts, strict=True):
            metric.add(own)
        for again, own in zip(self._again, counts):
            again.update(own, index)

    def _metrics(self) -> list[MaxBoxAcc | PxAP | TopLoc]:
        return [metric for metric in (self.boxes, self.masks, self.top) if metric]

    def totals(self) -> list[Tensor]:
        """Those of its metrics, one after the other, and of the images drawn again."""
        return [total for counts in (*self._metrics(), *self._again) for total in counts.totals()]

    def compute(self) -> dict[str, float]:
        """Name -> percent of every metric that applies."""
        return {name: value for metric in self._metrics() for name, value in metric.compute().items()}

    def replicates(self) -> dict[str, np.ndarray]:
        """Name -> [R] percent, the images drawn again; empty without replicates."""
        return {
            name: values.numpy()
            for metric, again in zip(self._metrics(), self._again)
            for name, values in metric.values(*again.totals()[-len(metric.totals()) :]).items()
        }

    def best_threshold(self) -> float:
        """Where MaxBoxAcc is reached, first on ties (without level 50, at the lowest level); 0 without boxes."""
        if not self.boxes:
            return 0.0
        level = TOP_IOU if self._top_level is not None else min(self.boxes.ious)
        return float(self._thresholds[np.argmax(self.boxes.counts()["single"][str(level)])])

    def details(self) -> dict[str, Any]:
        """The thresholds and, for boxes, the number of correct images at each."""
        counts = {"counts": self.boxes.counts()} if self.boxes else {}
        return {"thresholds": self._thresholds.tolist(), **counts}


def score_all(
    scorer: Callable[..., Scores], jobs: Iterable[tuple[Any, tuple]], *, workers: int
) -> Iterator[tuple[Any, Scores]]:
    """Yield (tag, scores) of every job (tag, arguments of the scorer), in order.

    Jobs are drawn as they are needed: memory does not grow with their number.

    Args:
        scorer: runs in a worker process, or here without any.
        jobs: images to score.
        workers: number of processes beside this one; 0 for none.
    """
    if workers == 0:
        yield from ((tag, scorer(*arguments)) for tag, arguments in jobs)
        return
    context = multiprocessing.get_context("forkserver")  # a fork of this process would inherit OpenCV's pool, dead
    context.set_forkserver_preload([__name__])
    with ProcessPoolExecutor(workers, context, initializer=cv2.setNumThreads, initargs=(1,)) as pool:
        pending: deque[tuple[Any, Any]] = deque()
        try:
            for tag, arguments in jobs:
                pending.append((tag, pool.submit(scorer, *arguments)))
                if len(pending) >= PER_WORKER * workers:
                    first, future = pending.popleft()
                    yield first, future.result()
            for tag, future in pending:
                yield tag, future.result()
        finally:
            pool.shutdown(cancel_futures=True)
