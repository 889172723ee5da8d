"""Cue localisation from a tiny network: one pass per image, and the same figures as the plain way, pair by pair."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score

from calm.attribution import build_attribution
from calm.attribution.score_map import normalize, resize
from calm.attribution.several_classes import maps_of_several
from calm.data_loaders.cues.pairs import NO_PART, ClassPair
from calm.evaluation.cue_location import collect as collecting
from calm.evaluation.cue_location.collect import collect, needed_classes
from calm.evaluation.cue_location.measure import measure_pairs, summarise
from calm.evaluation.cue_location.protocols import PaperProtocol, ReleasedProtocol
from tests.tiny_networks import tiny_network

CLASSES, SIZE, PER_CLASS = 5, 12, 4
PAIRS = [ClassPair(0, 1, (0,)), ClassPair(0, 2, (1, 6)), ClassPair(3, 1, (5,)), ClassPair(1, 2, (0, 1, 2))]
TARGETS = sorted(list(range(4)) * PER_CLASS)
CPU = torch.device("cpu")


class Birds(torch.utils.data.Dataset):
    """Random images and part maps; part 5 never shows."""

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        self.images = torch.from_numpy(rng.standard_normal((len(TARGETS), 3, SIZE, SIZE))).float()
        self.parts = torch.from_numpy(rng.choice([0, 1, 2, 6, NO_PART], (len(TARGETS), SIZE, SIZE)).astype(np.uint8))
        self.visible = torch.tensor(rng.random((len(TARGETS), 7)) < 0.7)
        self.visible[:, 5] = False

    def __len__(self) -> int:
        return len(TARGETS)

    def __getitem__(self, i: int):
        return self.images[i], i, self.parts[i], self.visible[i]


def to_scores(difference: torch.Tensor) -> torch.Tensor:
    return normalize(resize(difference, SIZE).abs(), "minmax")


def collected(network, name: str, birds: Birds, batch: int = 3, **options):
    maps_of = maps_of_several(name, **options)
    classes = [needed_classes(PAIRS)[target] for target in TARGETS]
    loader = torch.utils.data.DataLoader(birds, batch)
    return collect(loader, lambda images, wanted: maps_of(network, images, wanted), classes)


def plain_pixels(network, attribution, birds: Birds, pair: ClassPair) -> tuple[np.ndarray, np.ndarray]:
    """Scores and mask of all pixels of a pair, an image and a class at a time."""
    scores, masks = [], []
    for i, target in enumerate(TARGETS):
        if target in pair[:2] and any(birds.visible[i, part] for part in pair.parts):
            maps = [attribution(network, birds.images[i : i + 1], torch.tensor([c])) for c in pair[:2]]
            scores.append(to_scores(maps[0] - maps[1])[0].numpy())
            masks.append(np.isin(birds.parts[i].numpy(), pair.parts))
    return np.array(scores), np.array(masks)


@pytest.mark.parametrize(("method", "name"), [("CALM_EM", "joint"), ("CAM", "cam"), ("CAM", "gradient")])
def test_equals_the_plain_way(method, name):
    network, birds = tiny_network(method, num_classes=CLASSES), Birds()
    results = measure_pairs(PAIRS, collected(network, name, birds), TARGETS, to_scores, PaperProtocol(), device=CPU)
    for pair, result in zip(PAIRS, results, strict=True):
        scores, masks = plain_pixels(network, build_attribution(name), birds, pair)
        if pair.parts == (5,):
            assert result.pxap is None and result.mask_pixels == [None] * 2 * PER_CLASS
            continue
        assert result.pxap == pytest.approx(100 * average_precision_score(masks.ravel(), scores.ravel()), abs=1e-3)
        assert [area for area in result.mask_pixels if area is not None] == masks.sum(axis=(1, 2)).tolist()


def test_a_pass_per_image_where_the_output_is_enough():
    network, birds, seen = tiny_network("CALM_EM", num_classes=CLASSES), Birds(), []
    network.register_forward_pre_hook(lambda module, inputs: seen.append(len(inputs[0])))
    collected(network, "joint", birds)
    assert sum(seen) == len(TARGETS)
    collected(network, "gradient", birds)
    assert sum(seen) == len(TARGETS) + sum(len(needed_classes(PAIRS)[target]) for target in TARGETS)


def test_released_histogram_fills_up_and_is_never_emptied():
    network, birds = tiny_network("CALM_EM", num_classes=CLASSES), Birds()
    maps = collected(network, "joint", birds)
    results = measure_pairs(PAIRS, maps, TARGETS, to_scores, ReleasedProtocol("even", 0.1), device=CPU)
    edges = np.append(np.arange(0, 1, 0.1), [1, 2, 3])
    counts = np.zeros((2, len(edges) - 1))
    for pair, result in zip(PAIRS, results, strict=True):
        scores, masks = plain_pixels(network, build_attribution("joint"), birds, pair)
        if not len(scores):
            assert result.pxap is None
            continue
        counts += [np.histogram(scores[which].astype(float), edges)[0] for which in (masks, ~masks)]
        hits, marked = counts[0, ::-1].cumsum(), counts.sum(axis=0)[::-1].cumsum()
        area = (counts[0, ::-1] / hits[-1] * hits / np.maximum(marked, 1)).sum()
        assert result.pxap == pytest.approx(100 * area, abs=1e-3)


def test_summary_leaves_skipped_pairs_out():
    network = tiny_network("CAM", num_classes=CLASSES)
    results = measure_pairs(PAIRS, collected(network, "cam", Birds()), TARGETS, to_scores, PaperProtocol(), device=CPU)
    metrics = summarise(results)
    kept = [result.pxap for result in results if result.pxap is not None]
    assert metrics["mPxAP"] == pytest.approx(np.mean(kept)) and len(kept) == 3
    assert [metrics[f"num_pairs_{n}"] for n in (1, 2, 3)] == [1, 1, 1] and metrics["num_pairs_skipped"] == 1
    nothing = summarise(results[2:3])
    assert nothing["mPxAP"] is None and nothing["mPxAP_2"] is None and nothing["num_pairs_skipped"] == 1


def test_batch_size_changes_nothing():
    network, birds = tiny_network("CALM_EM", num_classes=CLASSES), Birds()
    areas = [collected(network, "joint", birds, batch) for batch in (1, 5, 16)]
    assert all(np.allclose(a.raw, b.raw, atol=1e-7) and torch.equal(a.areas, b.areas) for a, b in pairwise(areas))


def test_large_arrays_lie_in_a_file(monkeypatch):
    network, birds = tiny_network("CAM", num_classes=CLASSES), Birds()
    before = collected(network, "cam", birds)
    monkeypatch.setattr(collecting, "IN_MEMORY", 100)
    after = collected(network, "cam", birds)
    assert isinstance(after.raw, np.memmap) and np.array_equal(before.raw, after.raw)
    results = [measure_pairs(PAIRS, m, TARGETS, to_scores, PaperProtocol(), device=CPU) for m in (before, after)]
    assert [a.pxap for a in results[0]] == [b.pxap for b in results[1]]
