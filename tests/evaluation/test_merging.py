"""Every metric of the evaluations merges by addition; one that is not listed here fails the second test."""

import inspect
import pkgutil
from importlib import import_module

import numpy as np
import pytest
import torch

from calm import evaluation, wsol_eval
from calm.evaluation.attribution.measures import MEASURES
from calm.evaluation.attribution.metrics import Means, Wins
from calm.evaluation.metrics import Accuracy, Metric, PerturbationRatio
from calm.evaluation.wsol.scores import Localisation, Scorer, Scores
from calm.wsol_eval import MaxBoxAcc, PxAP
from calm.wsol_eval.hits import box_hits
from calm.wsol_eval.max_box_acc import TopLoc
from calm.wsol_eval.pixel_ap import PixelHistogram, PixelScores, released_edges
from calm.wsol_eval.pxap import pixel_histograms
from tests.evaluation.merging import assert_merged_equals_serial

UPDATES, SIZE, IOUS = 7, 12, (30, 50, 70)
INTERVAL = 0.1


def rng_of(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def score_map(rng: np.random.Generator) -> np.ndarray:
    return rng.random((SIZE, SIZE)).astype(np.float32)


def box(rng: np.random.Generator) -> np.ndarray:
    x0, y0 = rng.integers(0, 4, 2)
    x1, y1 = rng.integers(7, SIZE, 2)
    return np.array([[x0, y0, x1, y1]])


def mask(rng: np.random.Generator) -> np.ndarray:
    return rng.choice([0, 1, 255], (SIZE, SIZE)).astype(np.uint8)


def accuracy(rng):
    return torch.from_numpy(rng.standard_normal((5, 4))), torch.from_numpy(rng.integers(0, 4, 5))


def perturbation(rng):
    draw = lambda *shape: torch.from_numpy(rng.integers(0, 3, shape))  # noqa: E731
    return draw(6), draw(6), draw(2, 6), draw(2, 6)


def measures(rng):
    values = {name: torch.from_numpy(rng.random(5)) for name in MEASURES}
    values["pointing"][0] = float("nan")
    return (values,)


def drops(rng):
    return (torch.from_numpy(rng.integers(0, 3, (3, 5)) / 2),)


def hits(rng):
    return box_hits(score_map(rng), box(rng), np.arange(0, 1, INTERVAL), IOUS)


def located(rng):
    edges = PxAP(INTERVAL).edges
    scores = Scores(hits(rng), pixel_histograms(score_map(rng), mask(rng), edges, INTERVAL))
    return scores, int(rng.integers(0, 8)), int(rng.integers(0, 99))


def cue_pixels(rng):
    return (PixelScores(torch.from_numpy(score_map(rng)), torch.from_numpy(rng.random((SIZE, SIZE)) < 0.3)),)


CASES = {
    Accuracy: (Accuracy, accuracy),
    PerturbationRatio: (lambda: PerturbationRatio((10, 90)), perturbation),
    Means: (Means, measures),
    Wins: (lambda: Wins(("a", "b", "c")), drops),
    MaxBoxAcc: (lambda: MaxBoxAcc(INTERVAL, IOUS), lambda rng: (score_map(rng), box(rng))),
    TopLoc: (lambda: TopLoc(INTERVAL), lambda rng: (hits(rng)[0, 1], int(rng.integers(0, 8)))),
    PxAP: (lambda: PxAP(INTERVAL), lambda rng: (score_map(rng), mask(rng))),
    PixelHistogram: (lambda: PixelHistogram(released_edges("log", INTERVAL)), cue_pixels),
    Localisation: (
        lambda: Localisation(Scorer(INTERVAL, IOUS, SIZE), boxes=True, masks=True, ranks=True, replicates=3),
        located,
    ),
}
"""Metric -> (how it is made, generator -> arguments of ``update``)."""


@pytest.mark.parametrize("metric", CASES, ids=lambda metric: metric.__name__)
def test_merged_equals_serial(metric):
    make, draw = CASES[metric]
    assert_merged_equals_serial(make, [draw(rng_of(seed)) for seed in range(UPDATES)])


def metric_classes() -> set[type]:
    """Classes of the two rooms with a state to merge and a value to compute."""
    found = set()
    for room in (evaluation, wsol_eval):
        for module in pkgutil.walk_packages(room.__path__, f"{room.__name__}."):
            for _, kind in inspect.getmembers(import_module(module.name), inspect.isclass):
                if kind.__module__ == module.name and hasattr(kind, "totals") and hasattr(kind, "compute"):
                    found.add(kind)
    return found - {Metric}


def test_every_metric_is_checked():
    assert metric_classes() == set(CASES)
    assert all(hasattr(metric, "update") for metric in CASES)
