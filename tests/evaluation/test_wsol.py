"""Parts of the localisation: ranks of the true class, scoring in other processes, united object masks."""

from collections import Counter

import numpy as np
import pytest
import torch
from PIL import Image

from calm.data_loaders.masks import read_object_mask
from calm.data_loaders.truth import Truth
from calm.evaluation.intervals import interval_of, poisson_weights
from calm.evaluation.map_sources import ranks_of
from calm.evaluation.uninformed import UNINFORMED
from calm.evaluation.wsol.scores import PER_WORKER, Localisation, Scorer, Scores, score_all
from calm.wsol_eval.boxes import even_thresholds
from calm.wsol_eval.hits import box_hits
from calm.wsol_eval.pxap import bin_edges, pixel_histograms


def test_ranks_count_the_more_probable_classes_and_agree_with_argmax_on_ties():
    log_p_y = torch.tensor([[0.1, 0.5, 0.4], [0.3, 0.3, 0.1], [0.3, 0.3, 0.1], [1.0, 2.0, 3.0]])
    targets = torch.tensor([1, 0, 1, 0])
    assert ranks_of(log_p_y, targets).tolist() == [0, 0, 1, 2]
    assert ((log_p_y.argmax(dim=1) == targets) == (ranks_of(log_p_y, targets) == 0)).all()


@pytest.mark.parametrize("workers", [0, 2])
def test_jobs_are_drawn_as_they_are_needed(workers):
    scorer, seen = Scorer(0.5, (50,), 8), Counter()
    truth = Truth(np.array([[0, 0, 3, 3]]), None, None)

    def jobs():
        for index in range(60):
            seen["drawn"] += 1
            yield index, (truth, np.full((8, 8), 0.5))

    for number, (tag, scores) in enumerate(score_all(scorer, jobs(), workers=workers)):
        assert tag == number and isinstance(scores, Scores)
        assert seen["drawn"] - number <= PER_WORKER * workers + 1
    assert seen["drawn"] == 60


def test_object_masks_are_united_and_win_over_ignored_pixels(tmp_path):
    left, right, ignored = (np.zeros((10, 20), np.uint8) for _ in range(3))
    left[:, :5], right[:, 15:], ignored[:5] = 255, 128, 255
    paths = [tmp_path / f"{name}.png" for name in ("left", "right", "ignored")]
    for path, values in zip(paths, (left, right, ignored)):
        Image.fromarray(values).save(path)
    mask = read_object_mask(paths[:2], paths[2], 20)
    assert (mask[:, :5] == 1).all() and (mask[:, 15:] == 1).all()
    assert (mask[:10, 5:15] == 255).all() and (mask[10:, 5:15] == 0).all()


def test_maps_without_knowledge_score_as_any_map_does():
    scorer = Scorer(0.05, (30, 50, 70), 32)
    truth = Truth(np.array([[3, 4, 20, 30], [0, 0, 31, 31]]), None, None)
    scores = scorer(truth, np.zeros((32, 32)))
    assert len(scores.beside) == len(UNINFORMED)
    for own, make in zip(scores.beside, UNINFORMED.values(), strict=True):
        assert np.array_equal(own.hits, box_hits(make(32), truth.boxes, even_thresholds(0.05), (30, 50, 70)))
        assert own.histograms is None and not own.beside
    assert scores.beside[0].hits[:, :, 0].all()  # the constant map's box is the whole image


def test_a_replicate_counts_each_image_as_often_as_it_was_drawn():
    rng, scorer = np.random.default_rng(0), Scorer(0.1, (30, 50, 70), 8)
    images = []
    for index in range(70):  # more than are drawn at once
        x0, y0 = rng.integers(0, 4, 2).tolist()
        score_map, mask = rng.random((8, 8)), (rng.random((8, 8)) < 0.3).astype(np.uint8)
        hits = box_hits(score_map, [[x0, y0, x0 + 3, y0 + 4]], even_thresholds(0.1), scorer.ious)
        histograms = pixel_histograms(score_map, mask, bin_edges(0.1), 0.1)
        images.append((Scores(hits, histograms), int(rng.integers(0, 8)), index))

    def counted(chosen, **options):
        localisation = Localisation(scorer, boxes=True, masks=True, ranks=True, **options)
        for image in chosen:
            localisation.update(*image)
        return localisation

    whole = counted(images, replicates=200)
    found, weights = whole.replicates(), poisson_weights(range(70), replicates=200)
    for replicate in (0, 7):
        again = counted(image for image, times in zip(images, weights[replicate]) for _ in range(times))
        assert {name: own[replicate] for name, own in found.items()} == pytest.approx(again.compute())
    for name, value in whole.compute().items():
        low, high = interval_of(found[name])
        assert low < value < high or low == value == high, name


def test_poisson_weights_follow_the_index_alone():
    both, one = poisson_weights([3, 8]), poisson_weights([8])
    assert np.array_equal(both[:, 1:], one) and both.mean() == pytest.approx(1, abs=0.06)
    assert np.var(both) == pytest.approx(1, abs=0.12) and poisson_weights([]).shape == (1000, 0)
