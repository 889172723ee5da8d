import captum.attr
import pytest
import torch
import torch.nn.functional as F

from calm.attribution import layer_cam
from calm.attribution.layer_cam import fuse, gradcam_map, gradcam_plus_plus_map, gradcam_plus_plus_weights, layercam_map
from calm.attribution.layer_gradients import last_layer_gradient, layer_gradients
from calm.errors import UserError
from tests.expected_methods import assert_near, form, values
from tests.tiny_networks import tiny_batch, tiny_network

METHODS = ["CAM", "CALM_ML"]


def test_expected_gradcampp(expected):
    file = values(expected, "gradcampp")
    features, gradient = (form((1, 3, 4, 4), 0.31, 0.2) + 0.1).clamp_min(0), form((1, 3, 4, 4), 0.47, 0.9, 0.1)
    assert_near(gradcam_plus_plus_weights(features, gradient), file["weights"])
    assert_near(gradcam_plus_plus_map(features, gradient)[0], file["map_relu_sum_kA"])


def test_gradcampp_weights_are_those_of_the_derivatives_of_exp_of_the_score():
    """The paper's alpha from second and third derivatives of Y = exp(S), taken by autograd, number by number."""
    features = (form((1, 2, 2, 2), 0.31, 0.2) + 1.1).requires_grad_(True)
    direction = form((1, 2, 2, 2), 0.47, 0.9, 0.3)
    shifts = torch.zeros_like(features, requires_grad=True)
    y = torch.exp(((features + shifts) * direction).sum())
    (first,) = torch.autograd.grad(y, shifts, create_graph=True)
    weights = torch.zeros(1, 2, dtype=torch.float64)
    for k in range(2):
        for i in range(2):
            for j in range(2):
                (row,) = torch.autograd.grad(first[0, k, i, j], shifts, create_graph=True)
                second = row[0, k, i, j]
                third = torch.autograd.grad(second, shifts, retain_graph=True)[0][0, k, i, j]
                alpha = second / (2 * second + features[0, k].sum() * third)
                weights[0, k] += (alpha * direction[0, k, i, j].clamp_min(0)).detach()
    torch.testing.assert_close(gradcam_plus_plus_weights(features.detach(), direction), weights)


def test_gradcampp_weights_of_tiny_and_zero_gradients():
    gradient = torch.tensor([[[[0.0, 1e-25], [-1e-25, 0.0]]]])
    weights = gradcam_plus_plus_weights(torch.ones(1, 1, 2, 2), gradient)
    torch.testing.assert_close(weights, torch.tensor([[0.5e-25]]), rtol=1e-5, atol=0)


@pytest.mark.parametrize("method", METHODS)
def test_maps_of_the_last_features_by_their_definitions(method):
    network, (images, targets) = tiny_network(method).double(), tiny_batch(2)
    images = images.double()
    features = network.features(images).detach().requires_grad_(True)
    scores = network.read_out(features).class_scores
    (g,) = torch.autograd.grad(scores[0, targets[0]] + scores[1, targets[1]], features)
    a = features.detach()
    expected = {
        "gradcam": sum(g[:, k].mean(dim=(1, 2), keepdim=True) * a[:, k] for k in range(6)).clamp_min(0),
        "layercam": sum(g[:, k].clamp_min(0) * a[:, k] for k in range(6)).clamp_min(0),
    }
    for name, maps in expected.items():
        torch.testing.assert_close(getattr(layer_cam, name)(network, images, targets), maps)


@pytest.mark.parametrize("method", METHODS)
def test_a_named_layer_equals_captum(method):
    network, (images, targets) = tiny_network(method), tiny_batch(3)
    explainer = captum.attr.LayerGradCam(lambda x: network(x).class_scores, network.bn1)
    expected = explainer.attribute(images.clone().requires_grad_(True), target=targets, relu_attributions=True)
    maps = layer_cam.gradcam(network, images, targets, layers="bn1")
    torch.testing.assert_close(maps, expected[:, 0].detach(), rtol=1e-4, atol=1e-7)


def test_the_last_layer_by_name_is_the_default():
    """The tiny network's last ReLU runs twice, so its convolution is taken, and rectified by hand."""
    network, (images, targets) = tiny_network("CALM_ML"), tiny_batch(2)
    before, gradient = layer_gradients(network, images, targets, ["conv2"])[0]
    last = last_layer_gradient(network, images, targets)
    torch.testing.assert_close(before.relu(), last.features)
    torch.testing.assert_close(gradient, last.gradient * (before > 0))


def test_in_place_layers_behind_the_chosen_one_do_not_change_its_features():
    network, (images, targets) = tiny_network("CAM"), tiny_batch(2)
    (layer,) = layer_gradients(network, images, targets, ["bn1"])
    assert (layer.features < 0).any()
    torch.testing.assert_close(layer.features, network.bn1(network.conv1(images)).detach())
    assert not any(module._forward_hooks for module in network.modules())


def test_several_layers_are_fused_by_the_maximum_of_tanh():
    network, (images, targets) = tiny_network("CALM_ML"), tiny_batch(2)
    one = layer_cam.layercam(network, images, targets, layers="conv1")
    two = layer_cam.layercam(network, images, targets, layers=["conv2"])
    fused = layer_cam.layercam(network, images, targets, layers="conv1,conv2")
    for b in range(2):
        scaled = [torch.tanh(2 * map_[b] / map_[b].max()) if map_[b].max() > 0 else map_[b] for map_ in (one, two)]
        torch.testing.assert_close(fused[b], torch.maximum(*scaled))


def test_maps_of_different_grids_are_enlarged_to_the_finest():
    fine, coarse = torch.rand(2, 4, 4), torch.rand(2, 2, 2)
    enlarged = F.interpolate(coarse[:, None], (4, 4), mode="bilinear", align_corners=False)[:, 0]
    torch.testing.assert_close(fuse([coarse, fine]), fuse([enlarged, fine]))
    assert not fuse([torch.zeros(1, 2, 2), torch.zeros(1, 2, 2)]).any()


def test_smooth_gradcampp_is_the_mean_of_maps():
    network, (images, targets) = tiny_network("CALM_ML"), tiny_batch(2)
    draws = [torch.randn(images.shape, generator=torch.Generator().manual_seed(k)) for k in range(3)]
    maps = layer_cam.smoothgradcam_plus_plus(
        network,
        images,
        targets,
        smoothgradcam_nr_iter=3,
        smoothgradcam_std=0.2,
        noise=lambda k, shape: draws[k],
    )
    expected = sum(layer_cam.gradcam_plus_plus(network, images + 0.2 * draw, targets) for draw in draws) / 3
    torch.testing.assert_close(maps, expected)


def test_seeded_noise_does_not_depend_on_the_batch():
    network, (images, targets) = tiny_network("CAM"), tiny_batch(3)
    together = layer_cam.smoothgradcam_plus_plus(network, images, targets, seed=3)
    alone = layer_cam.smoothgradcam_plus_plus(network, images[1:2], targets[1:2], seed=3)
    torch.testing.assert_close(together[1:2], alone)


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        ("conv9", "no layer 'conv9': near it are .*conv"),
        ("relu", "'relu' runs 2 times"),
        ("conv1,head", "'head'|no layer"),
    ],
)
def test_wrong_layers(layers, words):
    network, (images, targets) = tiny_network("CAM"), tiny_batch(1)
    with pytest.raises(UserError, match=words):
        layer_cam.gradcam(network, images, targets, layers=layers)
    assert not any(module._forward_hooks for module in network.modules())


def test_maps_from_features_and_gradients_alone():
    features, gradient = form((2, 3, 2, 2), 0.3, 0.1), form((2, 3, 2, 2), 0.7, 0.4)
    assert gradcam_map(features, gradient).shape == (2, 2, 2)
    assert (layercam_map(features, gradient) >= 0).all()
