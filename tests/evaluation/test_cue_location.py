"""Cue localisation from a tiny network: one pass per image, and the same figures as the plain way, pair by pair."""

from itertools import pairwise

import cv2
import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score

from calm.attribution import ATTRIBUTIONS, build_attribution
from calm.attribution.several_classes import maps_of_several
from calm.data_loaders.cues.pairs import NO_PART, ClassPair
from calm.errors import UserError
from calm.evaluation.cue_location import collect as collecting
from calm.evaluation.cue_location.collect import collect, needed_maps
from calm.evaluation.cue_location.measure import measure_pairs, summarise, summarise_uninformed
from calm.evaluation.cue_location.protocols import PaperProtocol, protocol_maker
from calm.evaluation.cue_location.scores import cue_score
from calm.evaluation.uninformed import uninformed_maps
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


def score(kind: str, name: str, norm_type: str = "minmax", ksize: int = 1):
    return cue_score(kind, ATTRIBUTIONS[name].kind, size=SIZE, ksize=ksize, norm_type=norm_type)


def plain_score_map(raw: np.ndarray, kind: str, norm_type: str, ksize: int) -> np.ndarray:
    """One raw map as the text has it, by NumPy and OpenCV."""
    s = cv2.resize(raw, (SIZE, SIZE), interpolation=cv2.INTER_LINEAR)
    if kind == "probability":
        return s
    if kind == "gradient":
        sigma = 0.3 * ((ksize - 1) / 2 - 1) + 0.8
        s = cv2.GaussianBlur(s, (ksize, ksize), sigma, borderType=cv2.BORDER_REFLECT_101)
    if kind == "gradient" or norm_type == "minmax":
        return (s - s.min()) / (s.max() - s.min())
    return np.maximum(s, 0) / s.max() if s.max() > 0 else 0 * s


def collected(network, name: str, birds: Birds, batch: int = 3, *, versus: bool = False, **options):
    maps_of = maps_of_several(name, **options)
    classes = [needed_maps(PAIRS, versus=versus)[target] for target in TARGETS]
    loader = torch.utils.data.DataLoader(birds, batch)
    (maps,) = collect(loader, [lambda images, positions, wanted: maps_of(network, images, wanted)], classes, device=CPU)
    return maps


def plain_released(raw_a: np.ndarray, raw_b: np.ndarray) -> np.ndarray:
    difference = np.abs(cv2.resize(raw_a - raw_b, (SIZE, SIZE), interpolation=cv2.INTER_LINEAR))
    return (difference - difference.min()) / (difference.max() - difference.min())


def plain_pixels(
    network, attribution, birds: Birds, pair: ClassPair, plain_score=plain_released
) -> tuple[np.ndarray, np.ndarray]:
    """Scores and mask of all pixels of a pair, an image and a class at a time."""
    scores, masks = [], []
    for i, target in enumerate(TARGETS):
        if target in pair[:2] and any(birds.visible[i, part] for part in pair.parts):
            maps = [attribution(network, birds.images[i : i + 1], torch.tensor([c])) for c in pair[:2]]
            scores.append(plain_score(*(raw[0].numpy() for raw in maps)))
            masks.append(np.isin(birds.parts[i].numpy(), pair.parts))
    return np.array(scores), np.array(masks)


@pytest.mark.parametrize(
    ("method", "name", "kind", "norm_type", "ksize"),
    [
        ("CALM_EM", "joint", "probability", "clipping", 1),
        ("CALM_EM", "posterior", "probability", "max", 1),
        ("CAM", "cam", "class map", "max", 1),
        ("CAM", "cam", "class map", "minmax", 1),
        ("CAM", "gradcam", "class map", "max", 1),
        ("CAM", "gradient", "gradient", "max", 5),
        ("CAM", "gradient", "released", "minmax", 1),
        ("CALM_EM", "joint", "released", "minmax", 1),
    ],
)
def test_equals_the_plain_way(method, name, kind, norm_type, ksize):
    network, birds = tiny_network(method, num_classes=CLASSES), Birds()
    score_of, plain_score = score("released", name, norm_type), plain_released
    if kind != "released":
        score_of = score("text", name, norm_type, ksize)

        def plain_score(raw_a: np.ndarray, raw_b: np.ndarray) -> np.ndarray:
            s_a, s_b = (plain_score_map(raw, kind, norm_type, ksize) for raw in (raw_a, raw_b))
            return np.abs(s_a - s_b)

    results = measure_pairs(PAIRS, collected(network, name, birds), TARGETS, score_of, PaperProtocol, device=CPU)
    for pair, result in zip(PAIRS, results, strict=True):
        scores, masks = plain_pixels(network, build_attribution(name), birds, pair, plain_score)
        if pair.parts == (5,):
            assert result.pxap is None and result.mask_pixels == [None] * 2 * PER_CLASS
            continue
        constant = average_precision_score(masks.ravel(), np.ones(masks.size))
        assert result.prevalence == pytest.approx(100 * constant)
        assert result.pxap == pytest.approx(100 * average_precision_score(masks.ravel(), scores.ravel()), abs=2e-2)
        assert [area for area in result.mask_pixels if area is not None] == masks.sum(axis=(1, 2)).tolist()


def test_a_class_is_compared_with_the_other_of_its_pair():
    network, birds = tiny_network("CAM", num_classes=CLASSES), Birds()
    maps = collected(network, "finercam", birds, versus=True, finercam_base="cam", finercam_gamma=0.5)
    results = measure_pairs(PAIRS, maps, TARGETS, score("text", "finercam"), PaperProtocol, device=CPU)
    for pair, result in zip(PAIRS, results, strict=True):

        def finer(network, images, target, pair=pair):
            g = network(images).class_maps.detach()[0]
            own, other = pair[:2] if int(target) == pair.class_a else pair[1::-1]
            return (g[own] - 0.5 * g[other])[None]

        def plain_score(raw_a: np.ndarray, raw_b: np.ndarray) -> np.ndarray:
            return np.abs(
                plain_score_map(raw_a, "class map", "minmax", 1) - plain_score_map(raw_b, "class map", "minmax", 1)
            )

        scores, masks = plain_pixels(network, finer, birds, pair, plain_score)
        if len(scores):
            assert result.pxap == pytest.approx(100 * average_precision_score(masks.ravel(), scores.ravel()), abs=2e-2)


def test_the_counterfactual_ranks_pixels_as_the_joint_does():
    network, birds = tiny_network("CALM_EM", num_classes=CLASSES), Birds()
    found = [
        measure_pairs(PAIRS, maps, TARGETS, score("text", name), PaperProtocol, device=CPU)
        for name, maps in (
            ("joint", collected(network, "joint", birds)),
            ("counterfactual", collected(network, "counterfactual", birds, versus=True)),
        )
    ]
    for by_joint, by_difference in zip(*found, strict=True):
        assert by_difference.pxap == pytest.approx(by_joint.pxap, abs=1e-3) if by_joint.pxap else True


def test_a_pass_per_image_where_the_output_is_enough():
    network, birds, seen = tiny_network("CALM_EM", num_classes=CLASSES), Birds(), []
    network.register_forward_pre_hook(lambda module, inputs: seen.append(len(inputs[0])))
    collected(network, "joint", birds)
    assert sum(seen) == len(TARGETS)
    collected(network, "gradient", birds)
    assert sum(seen) == len(TARGETS) + sum(len(needed_maps(PAIRS)[target]) for target in TARGETS)


def test_released_histogram_fills_up_and_is_never_emptied():
    network, birds = tiny_network("CALM_EM", num_classes=CLASSES), Birds()
    maps, protocol = collected(network, "joint", birds), protocol_maker("released", "even", 0.1)
    results = measure_pairs(PAIRS, maps, TARGETS, score("released", "joint"), protocol, device=CPU)
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
    maps, score_of = collected(network, "cam", Birds()), score("text", "cam", "max")
    results = measure_pairs(PAIRS, maps, TARGETS, score_of, PaperProtocol, device=CPU)
    metrics = summarise(results)
    kept = [result.pxap for result in results if result.pxap is not None]
    assert metrics["mPxAP"] == pytest.approx(np.mean(kept)) and len(kept) == 3
    assert [metrics[f"num_pairs_{n}"] for n in (1, 2, 3)] == [1, 1, 1] and metrics["num_pairs_skipped"] == 1
    assert metrics["prevalence"] == pytest.approx(np.mean([r.prevalence for r in results if r.pxap is not None]))
    assert metrics["prevalence_2"] == results[1].prevalence and metrics["prevalence_3"] == results[3].prevalence
    nothing = summarise(results[2:3])
    assert nothing["prevalence"] is None
    assert nothing["mPxAP"] is None and nothing["mPxAP_2"] is None and nothing["num_pairs_skipped"] == 1


def test_a_pair_is_skipped_where_a_class_has_no_images():
    network, absent = tiny_network("CAM", num_classes=CLASSES), ClassPair(0, 4, (0, 1))
    maps_of = maps_of_several("cam")
    loader = torch.utils.data.DataLoader(Birds(), 4)
    asked = [[0, 1, 2, 3, 4]] * len(TARGETS)
    (maps,) = collect(loader, [lambda images, _, wanted: maps_of(network, images, wanted)], asked, device=CPU)
    results = measure_pairs([absent, PAIRS[0]], maps, TARGETS, score("text", "cam", "max"), PaperProtocol, device=CPU)
    assert results[0].pxap is None and results[0].prevalence is None and len(results[0].positions) == PER_CLASS
    metrics = summarise(results)
    assert metrics["num_pairs_skipped"] == 1 and metrics["mPxAP"] == results[1].pxap


def test_one_threshold_means_the_same_in_all_images_of_a_pair():
    maps_a, maps_b = torch.zeros(2, 2, 6, 6)
    maps_a[0, 2, 2], maps_a[1, 2, 2] = 0.8, 0.1
    whole, stretched = (score(kind, "joint", "minmax")(maps_a, maps_b) for kind in ("text", "released"))
    assert whole[0].max() / whole[1].max() == pytest.approx(8) and stretched.amax(dim=(1, 2)).tolist() == [1, 1]
    high = torch.full((1, 6, 6), 0.7)  # a constant map of probabilities stays what it is
    assert torch.equal(score("text", "joint")(high, high / 7), torch.full((1, SIZE, SIZE), 0.7) - 0.1)


def test_class_maps_are_not_clipped_by_the_text():
    with pytest.raises(UserError, match="max or minmax"):
        score("text", "cam", "clipping")  # before any map is made


@pytest.mark.parametrize("kind", ["text", "released"])
def test_gradient_maps_smaller_than_their_blur_are_refused_before_any_is_made(kind):
    score(kind, "gradient", ksize=2 * SIZE - 1)
    score(kind, "joint", ksize=2 * SIZE + 1)
    with pytest.raises(UserError, match=f"`smoothing_ksize`={2 * SIZE + 1} must be odd, .* below twice .* {SIZE}"):
        score(kind, "gradient", ksize=2 * SIZE + 1)


@pytest.mark.parametrize("kind", ["paper", "released"])
def test_maps_without_knowledge_beside(kind):
    network, birds = tiny_network("CAM", num_classes=CLASSES), Birds()
    maps, score_of, new_protocol = collected(network, "cam", birds), score("text", "cam", "max"), PaperProtocol
    if kind == "released":
        new_protocol = protocol_maker("released", "even", 0.1)
    beside = uninformed_maps(SIZE)
    results = measure_pairs(PAIRS, maps, TARGETS, score_of, new_protocol, device=CPU, uninformed=beside)
    for name, score_map in beside.items():  # as if a network had given this map for every image
        fixed = torch.from_numpy(score_map)
        alike = measure_pairs(
            PAIRS, maps, TARGETS, lambda a, b, m=fixed: m.expand(len(a), -1, -1), new_protocol, device=CPU
        )
        for result, as_maps in zip(results, alike, strict=True):
            assert (result.pxap is None) == (as_maps.pxap is None)
            assert result.pxap is None or result.uninformed[name] == pytest.approx(as_maps.pxap, abs=1e-9)
        means = summarise(alike)
        assert summarise_uninformed(results)[name] == pytest.approx({k: v for k, v in means.items() if "mPxAP" in k})
    if kind == "paper":
        assert all(r.uninformed["constant"] == pytest.approx(r.prevalence) for r in results if r.pxap is not None)
    assert summarise_uninformed(results[2:3]) == {}


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
    score_of = score("text", "cam", "max")
    results = [measure_pairs(PAIRS, m, TARGETS, score_of, PaperProtocol, device=CPU) for m in (before, after)]
    assert [a.pxap for a in results[0]] == [b.pxap for b in results[1]]
