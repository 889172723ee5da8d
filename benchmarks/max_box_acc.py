"""MaxBoxAccV2 at 1000 and at 100 thresholds on one core: this project's count against contours at every threshold.

Prints one JSON object: seconds per map and ours / plain, for smooth maps, blobs, blurred noise and noise; the hits are
compared and must be equal at every threshold. The plain way counts by all contours alone, ours by the largest too.
"""

import sys
import time

import cv2
import measure
import numpy as np
import torch

from calm.wsol_eval.boxes import even_thresholds
from calm.wsol_eval.hits import MULTI, box_hits

SIZE = 224
BOXES = np.array([[60, 50, 170, 160], [20, 120, 90, 200]])
IOUS = (30, 50, 70)


def plain_hits(score_map: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Contours, their boxes and their IoU at each threshold in turn; bool [len(IOUS), T]."""
    grey = (score_map * 255).astype(np.uint8)
    best = []
    for threshold in thresholds:
        mask = cv2.threshold(grey, int(threshold * grey.max()), 255, cv2.THRESH_BINARY)[1]
        contours = cv2.findContours(mask, cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE)[0]
        boxes = []
        for contour in contours:
            x, y, w, h = cv2.boundingRect(contour)
            boxes.append((x, y, min(x + w, SIZE - 1), min(y + h, SIZE - 1)))
        boxes = np.array(boxes or [(0, 0, 0, 0)])
        low = np.maximum(boxes[:, None, :2], BOXES[:, :2])
        high = np.minimum(boxes[:, None, 2:], BOXES[:, 2:])
        shared = np.maximum(high - low + 1, 0).prod(axis=2)
        union = (boxes[:, 2:] - boxes[:, :2] + 1).prod(axis=1)[:, None] + (BOXES[:, 2:] - BOXES[:, :2] + 1).prod(axis=1)
        best.append((shared / (union - shared)).max())
    return np.array(best) >= np.array(IOUS)[:, None] / 100


def smooth_map(seed: int) -> np.ndarray:
    """A few wide Gaussians, [SIZE,SIZE] scaled to [0,1]."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:SIZE, 0:SIZE] / SIZE
    centres, widths = rng.uniform(0.2, 0.8, (4, 2)), rng.uniform(0.05, 0.2, 4)
    values = sum(np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * w * w)) for (cx, cy), w in zip(centres, widths))
    return (values - values.min()) / (values.max() - values.min())


def blobs_map(seed: int) -> np.ndarray:
    """Noise of 14x14 cells, enlarged: dozens of blobs and holes at most levels, [SIZE,SIZE] scaled to [0,1]."""
    values = cv2.resize(np.random.default_rng(seed).random((14, 14)), (SIZE, SIZE))
    return (values - values.min()) / (values.max() - values.min())


def blurred_map(seed: int) -> np.ndarray:
    """Noise blurred by three pixels: hundreds of small blobs, [SIZE,SIZE] scaled to [0,1]."""
    values = cv2.GaussianBlur(np.random.default_rng(seed).random((SIZE, SIZE)), (0, 0), 3)
    return (values - values.min()) / (values.max() - values.min())


def both_ways(score_map: np.ndarray, interval: float, repeats: int) -> tuple[float, float, bool]:
    """Least seconds of the plain way and of ours, and whether they agree."""
    thresholds = even_thresholds(interval)
    found: dict[str, np.ndarray] = {}
    seconds = measure.compare(
        {
            "plain": lambda: found.update(plain=plain_hits(score_map, thresholds)),
            "ours": lambda: found.update(ours=box_hits(score_map, BOXES, thresholds, IOUS)[MULTI]),
        },
        repeats=repeats,
        of=min,
        clock=time.process_time,
    )
    return seconds["plain"], seconds["ours"], bool((found["plain"] == found["ours"]).all())


def compare(maps: list[np.ndarray], interval: float, repeats: int) -> dict[str, float | bool]:
    """Mean seconds per map of both ways and their ratio."""
    plain, ours, equal = zip(*(both_ways(score_map, interval, repeats) for score_map in maps))
    return {
        "plain_s": round(sum(plain) / len(maps), 4),
        "ours_s": round(sum(ours) / len(maps), 5),
        "ratio": round(sum(ours) / sum(plain), 3),
        "equal": all(equal),
    }


def main() -> int:
    """Run, print, and return 1 where a count differs."""
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    maps = {
        "smooth": [smooth_map(seed) for seed in range(5)],
        "blobs": [blobs_map(seed) for seed in range(5)],
        "blurred": [blurred_map(seed) for seed in range(5)],
        "noise": [np.random.default_rng(0).random((SIZE, SIZE))],
    }
    repeats = {"noise": 1}
    kinds = {
        interval: {
            name: compare(some, interval, repeats.get(name, round(5000 * interval))) for name, some in maps.items()
        }
        for interval in (0.001, 0.01)
    }
    measure.report("max_box_acc_v2", by_interval=kinds)
    return 0 if all(kind["equal"] for found in kinds.values() for kind in found.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
