"""calm.metrics takes maps of any library: NumPy or torch, any size, against slow versions and scikit-learn."""

import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score

import calm
from calm import metrics
from calm.attribution import build_attribution
from calm.errors import UserError
from tests.tiny_networks import tiny_batch, tiny_network

SIZE = 12
DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "own_maps.md"


@pytest.fixture
def case():
    network, (images, targets) = tiny_network("CALM_EM"), tiny_batch(9, SIZE)
    return network, images, targets, build_attribution("joint")(network, images, targets)


def masks_of(count: int) -> np.ndarray:
    return np.random.default_rng(0).random((count, SIZE, SIZE)) < 0.3


@torch.no_grad()
def test_remove_and_classify_equals_a_slow_version(case):
    network, images, targets, maps = case
    found = metrics.remove_and_classify(network, images, targets, maps.numpy(), erase="zero", batch_size=4)
    logits = metrics.remove_and_classify(lambda x: network(x).log_p_y - 3, images, targets, maps[:, None], erase="zero")
    assert found == logits
    large = torch.nn.functional.interpolate(maps[:, None].double(), size=SIZE, mode="bilinear")[:, 0].float()
    for k in (10, 50, 90):
        right = 0
        for image, target, score in zip(images, targets, large):
            first = np.argsort(-score.flatten().numpy(), kind="stable")[: k * SIZE * SIZE // 100]
            erased = image.clone()
            erased.view(3, -1)[:, first] = 0
            right += int(network(erased[None]).log_p_y.argmax() == target)
        assert found[f"A_{k}"] == pytest.approx(100 * right / 9)


@pytest.mark.parametrize("measure", ["remove_and_classify", "insertion"])
def test_a_network_in_training_mode_is_measured_as_in_evaluation_and_left_as_it_was(measure):
    network, (images, targets) = tiny_network("CAM"), tiny_batch(3, 12)
    maps = torch.rand(3, 6, 6, generator=torch.Generator().manual_seed(0))
    wanted, mean = getattr(metrics, measure)(network, images, targets, maps), network.bn1.running_mean.clone()
    assert getattr(metrics, measure)(network.train(), images, targets, maps) == pytest.approx(wanted, nan_ok=True)
    assert network.bn1.training and torch.equal(network.bn1.running_mean, mean)


@torch.no_grad()
def test_deletion_and_insertion_are_areas_under_the_probability(case):
    network, images, targets, maps = case
    areas = []
    for image, target, score in zip(images, targets, maps):
        large = torch.nn.functional.interpolate(score[None, None].double(), size=SIZE, mode="bilinear").float()
        order, curve = np.argsort(-large.flatten().numpy(), kind="stable"), []
        for step in range(5):
            erased = image.clone()
            erased.view(3, -1)[:, order[: step * SIZE * SIZE // 4]] = 0
            curve.append(network(erased[None]).log_p_y.exp()[0, target].item())
        areas.append(sum((a + b) / 2 for a, b in pairwise(curve)) / 4)
    assert metrics.deletion(network, images, targets, maps, steps=4) == pytest.approx(np.mean(areas), abs=1e-5)
    constant = metrics.insertion(lambda x: torch.zeros(len(x), 4), images, targets % 4, maps, steps=4, batch_size=2)
    assert constant == pytest.approx(1 / 4)


def test_places_of_maps():
    masks = masks_of(4)
    assert metrics.pointing(masks.astype(np.float32), masks) == metrics.pxap(masks, masks.astype(np.uint8)) == 100
    assert metrics.pointing(~masks, torch.from_numpy(masks)) == 0
    assert metrics.pxap(np.zeros((4, 3, 3)), masks.astype(np.uint8)) == pytest.approx(100 * masks.mean())
    maps = np.zeros((2, SIZE, SIZE))
    maps[0, 2:8, 3:9], maps[1, :2, :2] = 1, 1
    boxes = [[[3, 2, 8, 7]], [[6, 6, 11, 11]]]
    found = metrics.max_box_acc(maps, boxes, size=SIZE)
    assert found["MaxBoxAcc"] == found["MaxBoxAccV2"] == 50
    assert metrics.max_box_acc(torch.from_numpy(maps)[:, None], boxes, size=(SIZE, SIZE)) == found


def test_cue_localisation_equals_scikit_learn():
    generator = np.random.default_rng(1)
    maps_a, maps_b = generator.random((2, 3, SIZE, SIZE)).astype(np.float32) / 9
    masks = masks_of(3)
    found = metrics.cue_localisation({"one": (maps_a, maps_b, masks), "none": (maps_a, maps_b, masks & False)})
    wanted = 100 * average_precision_score(masks.ravel(), np.abs(maps_a - maps_b).ravel())
    assert found["PxAP"] == {"one": pytest.approx(wanted), "none": None} and found["mPxAP"] == pytest.approx(wanted)
    scaled = [np.maximum(maps, 0) / maps.max(axis=(1, 2), keepdims=True) for maps in (maps_a, maps_b)]
    other = metrics.cue_localisation({"one": (5 * maps_a, maps_b, masks)}, kind="class map")
    wanted = 100 * average_precision_score(masks.ravel(), np.abs(scaled[0] - scaled[1]).ravel())
    assert other["mPxAP"] == pytest.approx(wanted, abs=1e-3)


def test_wrong_maps_are_one_sentence(case):
    network, images, targets, _ = case
    assert calm.metrics is metrics
    for maps, said in ((images, r"maps\.sum\(1\)"), (images[:2, 0], "2 maps for 9 images")):
        with pytest.raises(UserError, match=said):
            metrics.remove_and_classify(network, images, targets, maps)
    with pytest.raises(UserError, match=r"`masks` should be \[N,H,W\]"):
        metrics.pointing(images[:, 0], images)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"images": torch.zeros(3, SIZE, SIZE)}, "no batch axis"),
        ({"images": torch.zeros(9, 3, SIZE, SIZE, dtype=torch.uint8)}, "normalised floats"),
        ({"targets": torch.zeros(8, dtype=torch.long)}, "a class for each of 9 images"),
        ({"targets": torch.full((9,), 99)}, "has class 99"),
        ({"network": lambda images: (images,)}, "class scores [B,K] of 1 images, not a tuple"),
        ({"network": lambda images: images}, "class scores [B,K] of 1 images, not [1, 3, 12, 12]"),
        ({"batch_size": 0}, "`batch_size`=0"),
        ({"steps": 0}, "`steps`=0"),
        ({"erase": "nonsense"}, "unknown `erase` 'nonsense'"),
    ],
)
def test_a_wrong_argument_of_a_measure_with_a_network_is_one_sentence(case, wrong, said):
    given = dict(zip(("network", "images", "targets", "maps"), case)) | wrong
    measures = [metrics.insertion, metrics.deletion, metrics.remove_and_classify]
    for measure in measures[2:] if "erase" in wrong else measures[:2] if "steps" in wrong else measures:
        with pytest.raises(UserError, match=re.escape(said)) as caught:
            measure(**given)
        assert "\n" not in str(caught.value)


def test_a_wrong_argument_of_a_measure_of_place_is_one_sentence():
    maps, masks = np.ones((2, SIZE, SIZE)), masks_of(2).astype(np.uint8)
    good, pair = [[0, 0, 5, 5]], (maps, maps, masks)
    for call, said in (
        (lambda: metrics.cue_localisation({"one": pair}, kind="nonsense"), "choose from probability, class map, gradi"),
        (lambda: metrics.cue_localisation({"one": pair}, norm_type="mean"), "unknown `norm_type` 'mean'"),
        (lambda: metrics.cue_localisation([pair]), "`pairs` should be a mapping"),
        (lambda: metrics.cue_localisation({"one": pair[:2]}), "(maps of A, maps of B, masks)"),
        (lambda: metrics.max_box_acc(maps, [good, [[0, 0, 500, 9]]], size=90), "image 1: 0,0,500,9 is outside its 90"),
        (lambda: metrics.max_box_acc(maps, [good, [[8, 0, 3, 9]]], size=90), "image 1: 8,0,3,9 should be x0,y0,x1,y1"),
        (lambda: metrics.max_box_acc(maps, [good, [[0.1, 0.2, 0.5, 0.9]]], size=90), "image 1 should be whole pixels"),
        (lambda: metrics.max_box_acc(maps, [good, []], size=90), "image 1 should be [n,4]"),
        (lambda: metrics.max_box_acc(maps, [good, good], size=0), "`size`=0"),
        (lambda: metrics.max_box_acc(maps, [good, good], size=(9, 9, 3)), "`size` should be a number or (H, W)"),
        (lambda: metrics.max_box_acc(maps[:, :0], [good, good], size=9), "`maps` has no values"),
        (lambda: metrics.max_box_acc(maps, [good, good], size=9, norm_type="mean"), "unknown `norm_type` 'mean'"),
        (lambda: metrics.pxap(maps, masks[0]), "`masks` should be [N,H,W]"),
        (lambda: metrics.pxap(maps, masks + 1), "nothing else"),
        (lambda: metrics.pxap(maps, 255 * masks), "255 is what does not count"),
        (lambda: metrics.pxap(maps, masks, interval=0), "`interval`=0"),
    ):
        with pytest.raises(UserError, match=re.escape(said)) as caught:
            call()
        assert "\n" not in str(caught.value)
    past = [[[0, 0, SIZE, SIZE]]] * 2  # a pixel past the last
    for size in (SIZE, np.int64(SIZE), np.array([SIZE, SIZE])):
        assert metrics.max_box_acc(maps, past, size=size)["MaxBoxAcc"] == 0


def test_the_example_of_captum_runs(case, capsys):
    pytest.importorskip("captum", reason="captum is not installed (requirements.txt)")
    network, images, targets, _ = case
    text = DOCUMENT.read_text().split("## captum")[1]
    code = re.search(r"```python\n(.*?)```", text, re.DOTALL)[1]
    exec(code, {"model": lambda x: network(x).log_p_y, "images": images, "targets": targets, "masks": masks_of(9)})
    ratios, numbers = capsys.readouterr().out.splitlines()
    assert set(eval(ratios, {"nan": float("nan")})) == {10, 30, 50, 70, 90}
    assert 0 < float(numbers.split()[0]) < 1 and 0 <= float(numbers.split()[1]) <= 100
