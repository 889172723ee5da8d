import captum.attr
import pytest
import torch
from torch import Tensor

from calm.attribution import build_attribution
from calm.errors import UserError
from tests.tiny_networks import tiny_batch, tiny_network

METHODS = ["CAM", "CALM_ML"]


def fixed_noise(k: int, shape) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(100 + k))


def slow_gradient(network, image: Tensor, target: int) -> Tensor:
    """[3,H,W] of one image: the class score from its definition, differentiated."""
    image = image.clone()[None].requires_grad_(True)
    output = network(image)
    score = output.class_maps.mean(dim=(2, 3)) if network.method == "CAM" else output.log_joint.exp().sum((2, 3)).log()
    return torch.autograd.grad(score[0, target], image)[0][0]


def slow_map(network, image: Tensor, target: int) -> Tensor:
    return slow_gradient(network, image, target).abs().max(dim=0).values


@pytest.mark.parametrize("method", METHODS)
def test_gradient_equals_one_image_at_a_time(method):
    network, (images, targets) = tiny_network(method), tiny_batch(4)
    maps = build_attribution("gradient")(network, images, targets)
    assert maps.shape == (4, 12, 12)
    for image, target, map_ in zip(images, targets.tolist(), maps):
        torch.testing.assert_close(map_, slow_map(network, image, target))


@pytest.mark.parametrize("method", METHODS)
def test_gradient_equals_captum_saliency(method):
    network, (images, targets) = tiny_network(method), tiny_batch(4)
    saliency = captum.attr.Saliency(lambda x: network(x).class_scores)
    expected = saliency.attribute(images.clone().requires_grad_(True), target=targets, abs=True).amax(dim=1)
    torch.testing.assert_close(build_attribution("input_grad")(network, images, targets), expected)


@pytest.mark.parametrize("method", METHODS)
def test_integrated_gradients_as_released(method):
    network, (images, targets) = tiny_network(method), tiny_batch(3)
    maps = build_attribution("integrated_grad", integrated_grad_nr_iter=7)(network, images, targets)
    for image, target, map_ in zip(images, targets.tolist(), maps):
        points = [slow_map(network, image * (k / 7), target) for k in range(8)]
        torch.testing.assert_close(map_, sum(points) / 7)


@pytest.mark.parametrize("method", METHODS)
def test_noisy_gradients_equal_a_plain_loop(method):
    network, (images, targets) = tiny_network(method), tiny_batch(3)
    images[1] *= 5  # every image has its own noise level
    options = {"smooth_grad_nr_iter": 6, "smooth_grad_sigma": 3.0, "noise": fixed_noise}
    names = ("smoothgrad", "smoothgrad-squared", "vargrad")
    ours = {name: build_attribution(name, **options)(network, images, targets) for name in names}
    for b, (image, target) in enumerate(zip(images, targets.tolist())):
        sigma = (image.max() - image.min()) / 3.0
        copies = [image + sigma * fixed_noise(k, images.shape)[b] for k in range(6)]
        maps = torch.stack([slow_map(network, copy, target) for copy in copies]).double()
        torch.testing.assert_close(ours["smoothgrad"][b].double(), maps.mean(dim=0), rtol=1e-4, atol=1e-8)
        torch.testing.assert_close(ours["smoothgrad-squared"][b].double(), (maps**2).mean(dim=0), rtol=1e-4, atol=1e-10)
        torch.testing.assert_close(ours["vargrad"][b].double(), maps.var(dim=0, correction=0), rtol=1e-3, atol=1e-10)


@pytest.mark.parametrize("name", ["vargrad", "smoothgradcam++"])
@pytest.mark.parametrize("images_per_pass", [1, 7, 100])
def test_the_size_of_a_pass_changes_nothing(name, images_per_pass):
    network, (images, targets) = tiny_network("CALM_EM"), tiny_batch(2)
    sizes = []
    network.conv1.register_forward_pre_hook(lambda module, inputs: sizes.append(len(inputs[0])))
    options = {"smooth_grad_nr_iter": 5, "smoothgradcam_nr_iter": 5}
    expected = build_attribution(name, **options)(network, images, targets)
    sizes.clear()
    attribution = build_attribution(name, **options, eval_batch_size=images_per_pass)
    torch.testing.assert_close(attribution(network, images, targets), expected)
    assert sum(sizes) == 10
    assert max(sizes) <= max(2, images_per_pass)


def test_noise_follows_the_seed_and_not_the_batch():
    network, (images, targets) = tiny_network("CAM"), tiny_batch(3)
    state = torch.random.get_rng_state()
    attribution = build_attribution("smooth_grad", smooth_grad_nr_iter=4, seed=5)
    together = attribution(network, images, targets)
    alone = torch.cat([attribution(network, images[b : b + 1], targets[b : b + 1]) for b in range(3)])
    torch.testing.assert_close(together, alone)
    other = build_attribution("smooth_grad", smooth_grad_nr_iter=4, seed=6)(network, images, targets)
    assert (other - together).abs().max() > 1e-6
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.parametrize("method", METHODS)
def test_standard_integrated_gradients(method):
    """Equal to captum's, and complete: signed, they sum to score(x) - score(0)."""
    network, (images, targets) = tiny_network(method), tiny_batch(3)
    path = captum.attr.IntegratedGradients(lambda x: network(x).class_scores)
    signed = path.attribute(images, target=targets, n_steps=40)
    attribution = build_attribution("integrated_gradients", ig_variant="standard", integrated_grad_nr_iter=40)
    torch.testing.assert_close(attribution(network, images, targets), signed.abs().amax(dim=1), rtol=1e-4, atol=1e-7)
    with torch.no_grad():
        rise = network(images).score_of(targets) - network(torch.zeros_like(images)).score_of(targets)
    torch.testing.assert_close(signed.sum(dim=(1, 2, 3)), rise, rtol=0.05, atol=1e-4)


def test_wrong_options_are_said():
    network, (images, targets) = tiny_network("CAM"), tiny_batch(1)
    for name, options, words in [
        ("integrated_gradients", {"ig_variant": "other"}, "choose from released, standard"),
        ("integrated_gradients", {"integrated_grad_nr_iter": 0}, "`integrated_grad_nr_iter`: 0 is below 1"),
        ("smoothgrad", {"smooth_grad_nr_iter": 0}, "`smooth_grad_nr_iter`: 0 is below 1"),
        ("vargrad", {"smooth_grad_nr_iter": 1}, "`smooth_grad_nr_iter`=1: one copy has no variance"),
        ("vargrad", {"smooth_grad_sigma": 0.0}, "`smooth_grad_sigma` .* above 0"),
    ]:
        with pytest.raises(UserError, match=words):
            build_attribution(name, **options)(network, images, targets)
