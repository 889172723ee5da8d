"""Average precision over pixels, against scikit-learn and a histogram, and merged against whole."""

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score

from calm.wsol_eval.pixel_ap import PixelScores, curve, exact_curve, released_edges


def pixels(levels: int | None, seed: int = 0, shape: tuple = (5, 40, 40)) -> tuple[torch.Tensor, torch.Tensor]:
    """Scores in [0,1] with so many grey levels, and a mask that prefers high ones."""
    generator = torch.Generator().manual_seed(seed)
    scores = torch.rand(shape, generator=generator)
    mask = torch.rand(shape, generator=generator) < 0.2 * scores
    return (scores if levels is None else (scores * levels).round() / levels), mask


@pytest.mark.parametrize("levels", [None, 50, 3, 1])
def test_exact_ap_is_scikit_learns(levels):
    scores, mask = pixels(levels)
    ours = exact_curve(PixelScores(scores, mask)).average_precision
    assert ours == pytest.approx(average_precision_score(mask.flatten(), scores.flatten()), abs=1e-12)


def test_laws_of_average_precision():
    _, mask = pixels(None)
    assert exact_curve(PixelScores(mask.float(), mask)).average_precision == 1
    constant = exact_curve(PixelScores(torch.full(mask.shape, 0.3), mask)).average_precision
    assert constant == pytest.approx(mask.float().mean().item())
    assert exact_curve(PixelScores(mask.float(), torch.zeros_like(mask))) is None


class Processes:
    """``gather`` and ``add`` of one process, the others' items being known."""

    def __init__(self, others: list[PixelScores]) -> None:
        self.others = others

    def gather(self, item: torch.Tensor) -> list[torch.Tensor]:
        self.thresholds = torch.cat([item, *(other.distinct() for other in self.others)]).unique()
        return [item, *(other.distinct() for other in self.others)]

    def add(self, tensors: list[torch.Tensor]) -> None:
        for other in self.others:
            tensors[0] += other.count(self.thresholds)


@pytest.mark.parametrize("levels", [None, 20])
def test_shares_of_several_processes_equal_one(levels):
    scores, mask = pixels(levels)
    shares = [PixelScores(scores[rows], mask[rows]) for rows in (slice(0, 2), slice(2, 2), slice(2, 5))]
    group = Processes(shares[1:])
    merged = exact_curve(shares[0], gather=group.gather, add=group.add)
    whole = exact_curve(PixelScores(scores, mask))
    assert np.array_equal(merged.precision, whole.precision) and np.array_equal(merged.recall, whole.recall)


def slow_binned_ap(scores: np.ndarray, mask: np.ndarray, edges: np.ndarray) -> float:
    cue, rest = (np.histogram(scores[which].astype(np.float64), edges)[0] for which in (mask, ~mask))
    total, hits, marked, area = cue.sum(), 0, 0, 0.0
    for bin_cue, bin_rest in zip(cue[::-1], rest[::-1]):
        hits, marked = hits + bin_cue, marked + bin_cue + bin_rest
        area += bin_cue / total * (hits / marked if marked else 1)
    return area


@pytest.mark.parametrize("interval", [0.001, 0.03, 0.25])
@pytest.mark.parametrize("kind", ["even", "log"])
def test_released_bins_equal_a_histogram(kind, interval):
    scores, mask = pixels(200)
    scores = scores.pow(3 if kind == "even" else 8)  # many below the first edge of "log"
    steps = np.arange(0, 1, interval)
    lower = steps if kind == "even" else np.sort(10.0 ** -(np.arange(0, 7, 7 * interval)))
    edges = released_edges(kind, interval)
    assert len(edges) == len(lower) + 2
    expected = slow_binned_ap(scores.numpy(), mask.numpy(), np.append(lower, [1, 2, 3]))
    assert curve(PixelScores(scores, mask).count(edges)).average_precision == pytest.approx(expected, abs=1e-12)


def test_edges_split_float32_scores_as_float64_edges_do():
    edges = np.append(np.arange(0, 1, 0.001), [1.0, 2.0])
    for rounded, edge in zip(released_edges("even", 0.001).numpy(), edges):
        assert float(rounded) >= edge > float(np.nextafter(rounded, np.float32(-1)))


def test_no_cue_pixel_in_the_bins_is_no_curve():
    scores, mask = torch.tensor([0.0, 0.5]), torch.tensor([True, False])
    assert curve(PixelScores(scores, mask).count(released_edges("log", 0.1))) is None


def test_curve_is_sampled_at_the_first_threshold_that_reaches_a_recall():
    scores, mask = torch.tensor([0.9, 0.8, 0.7, 0.6]), torch.tensor([True, False, True, False])
    found = exact_curve(PixelScores(scores, mask))
    assert found.precision_at(np.array([0, 0.5, 0.51, 1.0])).tolist() == [1, 1, 2 / 3, 2 / 3]
