import gc
import tracemalloc
from itertools import pairwise

import numpy as np
import pytest
import torch
import torchcam.methods
from torch import Tensor, nn

from calm.attribution import ATTRIBUTIONS, build_attribution
from calm.attribution import cam_family as library
from tests.tiny_networks import TinyNetwork, tiny_batch, tiny_network

METHODS = ["CAM", "CALM_ML"]
FAST = {"smooth_grad_nr_iter": 2, "integrated_grad_nr_iter": 2, "sscam_nr_iter": 2, "smoothgradcam_nr_iter": 2}
POSSIBLE = [
    (name, method)
    for name, attribution in ATTRIBUTIONS.items()
    for method in attribution.needs_methods or METHODS
    if method != "CAM" or not attribution.needs_prior
]


def method_of(name: str) -> str:
    """A training method whose networks have the map."""
    return next(iter(ATTRIBUTIONS[name].needs_methods), "CALM_ML")


OPTIONS = {**FAST, "supersets": {y: [y] for y in range(5)}, "versus": 0}


def scores_of(network: TinyNetwork, features: Tensor, target: int) -> Tensor:
    return network.read_out(features).class_scores[:, target]


def slow_features_and_gradient(network: TinyNetwork, image: Tensor, target: int) -> tuple[Tensor, Tensor]:
    """A and d score / d A of one image, [C,h,w] each."""
    features = network.features(image[None]).detach().requires_grad_(True)
    grad = torch.autograd.grad(scores_of(network, features, target).sum(), features)[0]
    return features.detach()[0], grad[0]


def slow_gradcam(network, image, target):
    features, grad = slow_features_and_gradient(network, image, target)
    return sum(grad[k].mean() * features[k] for k in range(len(features))).clamp_min(0)


def slow_layercam(network, image, target):
    features, grad = slow_features_and_gradient(network, image, target)
    return (grad.clamp_min(0) * features).sum(dim=0).clamp_min(0)


@torch.no_grad()
def slow_ablationcam(network, image, target):
    features = network.features(image[None])
    score = scores_of(network, features, target)
    total = torch.zeros_like(features[0, 0])
    for k in range(features.shape[1]):
        ablated = features.clone()
        ablated[:, k] = 0
        total += (score - scores_of(network, ablated, target)) * features[0, k]
    return total.clamp_min(0)


@torch.no_grad()
def slow_scorecam(network, image, target):
    features = network.features(image[None])
    score = scores_of(network, features, target)
    rises = []
    for map_ in features[0]:
        mask = nn.functional.interpolate(map_[None, None], image.shape[1:], mode="bilinear", align_corners=False)
        mask = (mask - mask.min()) / (mask.max() - mask.min()).clamp_min(1e-30)
        rises.append(scores_of(network, network.features(image[None] * mask), target) - score)
    weights = torch.cat(rises).softmax(dim=0)
    return (weights[:, None, None] * features[0]).sum(dim=0).clamp_min(0)


SLOW = {"gradcam": slow_gradcam, "layercam": slow_layercam, "ablationcam": slow_ablationcam, "scorecam": slow_scorecam}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", SLOW)
def test_equal_to_slow_versions_one_image_at_a_time(name, method):
    network, (images, targets) = tiny_network(method, channels=40).double(), tiny_batch(4)
    images = images.double()
    maps = build_attribution(name)(network, images, targets)
    for image, target, map_ in zip(images, targets.tolist(), maps):
        torch.testing.assert_close(map_, SLOW[name](network, image, target), rtol=1e-6, atol=1e-9)
    assert maps.amax(dim=(1, 2)).min() > 0


class PlainScores(nn.Module):
    """The whole network behind its scores, as torchcam's users wrap it, with a layer at the last feature map."""

    def __init__(self, network: TinyNetwork) -> None:
        super().__init__()
        self.network = network
        self.last = nn.Identity()

    def forward(self, images: Tensor) -> Tensor:
        return self.network.read_out(self.last(self.network.features(images))).class_scores


TORCHCAM = {
    "gradcam": ("GradCAM", {}),
    "layercam": ("LayerCAM", {}),
    "sscam": ("SSCAM", {"num_samples": 2}),
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", TORCHCAM)
def test_equal_to_torchcam_on_the_whole_network(name, method):
    network, (images, targets) = tiny_network(method), tiny_batch(2)
    class_name, options = TORCHCAM[name]
    maps = build_attribution(name, seed=3, **FAST)(network, images, targets)
    for image, target, map_ in zip(images, targets.tolist(), maps):
        model = PlainScores(network)
        with torch.random.fork_rng(devices=[]), getattr(torchcam.methods, class_name)(model, "last", **options) as cam:
            torch.manual_seed(3)
            scores = model(image[None].clone().requires_grad_(True))
            expected = cam(target, scores, normalized=False)[0][0]
        torch.testing.assert_close(map_, expected, rtol=1e-4, atol=1e-7)


def test_random_maps_follow_the_seed_and_leave_the_global_state_alone():
    network, (images, targets) = tiny_network("CAM"), tiny_batch(2)
    state = torch.random.get_rng_state()
    for name in ("smoothgradcam++", "sscam"):
        first = build_attribution(name, seed=1, **FAST)(network, images, targets)
        assert torch.equal(first, build_attribution(name, seed=1, **FAST)(network, images, targets))
        assert not torch.equal(first, build_attribution(name, seed=2, **FAST)(network, images, targets))
        reversed_ = build_attribution(name, seed=1, **FAST)(network, images.flip(0), targets.flip(0))
        torch.testing.assert_close(first, reversed_.flip(0))
    assert torch.equal(torch.random.get_rng_state(), state)


def snapshot(network: nn.Module) -> dict:
    """Everything that an attribution must leave alone."""
    return {
        "values": {name: value.clone() for name, value in network.state_dict().items()},
        "modes": [part.training for part in network.modules()],
        "requires_grad": [parameter.requires_grad for parameter in network.parameters()],
        "grads": [parameter.grad for parameter in network.parameters()],
        "hooks": [
            (len(part._forward_hooks), len(part._forward_pre_hooks), len(part._backward_hooks))
            for part in network.modules()
        ],
        "names": [name for name, _ in network.named_modules()],
    }


def assert_unchanged(network: nn.Module, before: dict) -> None:
    after = snapshot(network)
    for name, value in before.pop("values").items():
        assert torch.equal(value, after["values"][name])
    after.pop("values")
    assert after == before


def mixed_state(method: str) -> TinyNetwork:
    """A network in the middle of training: mixed modes, one frozen and one accumulated gradient."""
    network = tiny_network(method).train()
    network.conv2.eval()
    network.conv1.weight.requires_grad_(False)
    network.conv2.weight.grad = torch.ones_like(network.conv2.weight)
    return network


@pytest.mark.parametrize(("name", "method"), POSSIBLE)
def test_the_network_is_left_as_it_was(name, method):
    network, (images, targets) = mixed_state(method), tiny_batch(2)
    before = snapshot(network)
    grad_enabled = torch.is_grad_enabled()
    attribution = build_attribution(name, **OPTIONS)
    maps = attribution(network, images, targets)
    assert maps.shape[0] == 2
    assert not maps.requires_grad
    assert_unchanged(network, before)
    assert torch.is_grad_enabled() == grad_enabled
    torch.testing.assert_close(maps, attribution(network.eval(), images, targets))  # modes do not matter
    with torch.inference_mode():
        torch.testing.assert_close(maps, attribution(network, images, targets))


@pytest.mark.parametrize("name", ATTRIBUTIONS)
def test_the_network_is_left_as_it_was_after_an_exception(name, monkeypatch):
    network, (images, targets) = mixed_state(method_of(name)), tiny_batch(2)
    before = snapshot(network)
    calls = []

    def fail_at_the_second_call(features, **options):
        calls.append(features.shape)
        if len(calls) == 2 or name not in library.CAM_FAMILY:
            raise RuntimeError("out of memory")
        return original(features, **options)

    original = network.read_out
    monkeypatch.setattr(network, "read_out", fail_at_the_second_call)
    with pytest.raises(RuntimeError, match="out of memory"):
        for _ in range(2):  # some read out once per call
            build_attribution(name, **OPTIONS)(network, images, targets)
    assert_unchanged(network, before)


@pytest.mark.parametrize("name", ["joint", "gradient", "gradcam", "gradcam++", "layercam"])
def test_memory_does_not_grow(name):
    network, (images, targets) = tiny_network("CALM_ML", channels=2), tiny_batch(1, 4)
    attribution = build_attribution(name)

    def state_after(calls: int) -> tuple[int, int]:
        for _ in range(calls):
            attribution(network, images, targets)
        gc.collect()
        return len(gc.get_objects()), tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        states = [state_after(calls) for calls in (20, 500, 500)]
    finally:
        tracemalloc.stop()
    grown = [tuple(np.subtract(after, before)) for before, after in pairwise(states)]
    assert min(objects for objects, _ in grown) < 50  # what grows does so in both halves; a thread may free late in one
    assert min(size for _, size in grown) < 25_000


@pytest.mark.parametrize("name", ATTRIBUTIONS)
def test_maps_under_autocast_stay_float32_and_close(name):
    network, (images, targets) = tiny_network(method_of(name)), tiny_batch(2)
    attribution = build_attribution(name, **OPTIONS)
    expected = attribution(network, images, targets)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        maps = attribution(network, images, targets)
    assert maps.dtype == torch.float32
    correlation = torch.corrcoef(torch.stack([maps.flatten(), expected.flatten()]))[0, 1]
    assert correlation > 0.9


@pytest.mark.parametrize("name", ATTRIBUTIONS)
def test_maps_of_a_float64_network_are_float64_and_close(name):
    network, (images, targets) = tiny_network(method_of(name)), tiny_batch(2)
    attribution = build_attribution(name, **OPTIONS)
    expected = attribution(network, images, targets)
    maps = attribution(network.double(), images.double(), targets)
    assert maps.dtype == torch.float64
    if name not in ("sscam", "smoothgradcam++"):  # float64 draws are other draws
        torch.testing.assert_close(maps.float(), expected, rtol=1e-3, atol=1e-5)
