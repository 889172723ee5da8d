"""Localisation with boxes: MaxBoxAcc, MaxBoxAccV2 and top-k localisation."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from calm.wsol_eval.boxes import even_thresholds
from calm.wsol_eval.hits import MULTI, SINGLE, box_hits


class MaxBoxAcc:
    """Share of images whose object is found by a box, at the best threshold over all images (WSOL benchmark).

    Args:
        interval: distance of the thresholds 0, i, 2i ... below 1.
        ious: levels of intersection over union in percent.
    """

    def __init__(self, interval: float = 0.001, ious: Sequence[int] = (30, 50, 70)) -> None:
        if not ious or not all(0 < iou <= 100 and int(iou) == iou for iou in ious) or len({*ious}) < len(ious):
            raise ValueError(f"ious are different whole percents from 1 to 100, not {list(ious)}")
        self.thresholds = even_thresholds(interval)
        self.ious = tuple(int(iou) for iou in ious)
        self._seen = torch.zeros(1, dtype=torch.int64)
        self._counts = torch.zeros(2, len(self.ious), len(self.thresholds), dtype=torch.int64)

    def update(self, score_map: Tensor | ArrayLike, boxes: ArrayLike) -> None:
        """Count one image.

        Args:
            score_map: [H,W] in [0,1].
            boxes: true boxes [n,4], inclusive whole pixels x0 y0 x1 y1 of the *map*; those of an image of another
                size go through ``data_loaders.truth.scale_boxes`` first.
        """
        self.add(box_hits(score_map, boxes, self.thresholds, self.ious))

    def add(self, hits: np.ndarray) -> None:
        """Count one image by its ``box_hits``."""
        self._seen += 1
        self._counts += torch.from_numpy(hits)

    def totals(self) -> list[Tensor]:
        """[images [1], correct images [2, len(ious), T]], first by the largest contour, then by all."""
        return [self._seen, self._counts]

    def counts(self) -> dict[str, dict[str, list[int]]]:
        """Correct images per threshold: {"single": {"30": [T], ...}, "multi": ...}."""
        return {
            name: {str(iou): row.tolist() for iou, row in zip(self.ious, self._counts[kind])}
            for name, kind in (("single", SINGLE), ("multi", MULTI))
        }

    def compute(self) -> dict[str, float]:
        """Percent: MaxBoxAcc (largest contour, IoU 50, where 50 is a level), MaxBoxAccV2 (mean over the levels of the
        all-contour version), and MaxBoxAcc_<level>, the latter's parts. NaN before the first update."""
        return {name: value.item() for name, value in self.values(*self.totals()).items()}

    def values(self, seen: Tensor, counts: Tensor) -> dict[str, Tensor]:
        """What ``compute`` says of other totals, of any number at once.

        Args:
            seen: [...,1].
            counts: [...,2,len(ious),T].
        """
        best = counts.amax(dim=-1).double() * 100 / seen[..., None].double()
        values = {"MaxBoxAcc": best[..., SINGLE, self.ious.index(50)]} if 50 in self.ious else {}
        values["MaxBoxAccV2"] = best[..., MULTI, :].mean(dim=-1)
        return values | {f"MaxBoxAcc_{iou}": best[..., MULTI, level] for level, iou in enumerate(self.ious)}


class TopLoc:
    """Top-1 and top-5 localisation: found by the largest contour at IoU 50, and the class among the first 1 or 5."""

    def __init__(self, interval: float = 0.001) -> None:
        self._seen = torch.zeros(1, dtype=torch.int64)
        self._counts = torch.zeros(2, len(even_thresholds(interval)), dtype=torch.int64)

    def update(self, single_hits: np.ndarray, rank: int) -> None:
        """Count one image.

        Args:
            single_hits: bool [T], ``box_hits`` of the largest contour at IoU 50, from the map of the true class.
            rank: number of classes more probable than the true one.
        """
        self.add(self.hits(single_hits, rank))

    @staticmethod
    def hits(single_hits: np.ndarray, rank: int) -> np.ndarray:
        """What ``update`` counts of an image, bool [2,T]."""
        return np.stack([single_hits & (rank < 1), single_hits & (rank < 5)])

    def add(self, hits: np.ndarray) -> None:
        """Count one image by its ``hits``."""
        self._seen += 1
        self._counts += torch.from_numpy(hits)

    def totals(self) -> list[Tensor]:
        """[images [1], correct images [2, T]]."""
        return [self._seen, self._counts]

    def compute(self) -> dict[str, float]:
        """{"Top1Loc": percent, "Top5Loc": percent}, each at its own best threshold. NaN before the first update."""
        return {name: value.item() for name, value in self.values(*self.totals()).items()}

    def values(self, seen: Tensor, counts: Tensor) -> dict[str, Tensor]:
        """What ``compute`` says of other totals, [...,1] and [...,2,T], of any number at once."""
        best = counts.amax(dim=-1).double() * 100 / seen.double()
        return {"Top1Loc": best[..., 0], "Top5Loc": best[..., 1]}
