import captum.attr
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from calm.attribution.class_score import image_gradient
from calm.attribution.guided_backprop import guided_backprop, guided_gradcam, guided_gradient, times_map
from calm.attribution.layer_cam import gradcam
from calm.errors import UserError
from calm.networks import build_network
from calm.networks.outputs import CamOutput
from tests.expected_methods import assert_near, form, values
from tests.tiny_networks import tiny_batch, tiny_network


class ByFormula(nn.Module):
    """Convolution, ReLU, convolution, ReLU, spatial mean, linear."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(2, 3, 3, padding=1), nn.Conv2d(3, 4, 3, padding=1), nn.Linear(4, 3))
        self.double()
        for i, parameter in enumerate(self.parameters()):
            parameter.data = form(tuple(parameter.shape), 0.37 + 0.11 * i, 0.2 * i)

    def forward(self, images):
        x = F.relu(self.layers[1](F.relu(self.layers[0](images), inplace=True)))
        return CamOutput(self.layers[2](x.mean(dim=(2, 3)))[:, :, None, None])


def test_expected_values(expected):
    file = values(expected, "guided_backprop")
    images = form((2, 2, 6, 6), 0.23, 0.6)
    gradient = guided_gradient(ByFormula(), images, torch.tensor([0, 2]))
    assert_near(gradient[0, 0], file["guided[0,0]"])
    assert_near(gradient.abs().sum(), file["guided_abs_sum"])


@pytest.mark.parametrize("method", ["CAM", "CALM_ML"])
def test_equals_captum_where_captum_can(method):
    """captum refuses a module that is used twice and in place: here it gets one ReLU a place."""
    network, (images, targets) = tiny_network(method), tiny_batch(3)

    class Unrolled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second, self.network = nn.ReLU(), nn.ReLU(), network

        def forward(self, images):
            low = self.first(network.bn1(network.conv1(images)))
            return network.read_out(self.second(network.conv2(low))).class_scores

    expected = captum.attr.GuidedBackprop(Unrolled().eval()).attribute(
        images.clone().requires_grad_(True), target=targets
    )
    torch.testing.assert_close(guided_gradient(network, images, targets), expected)
    torch.testing.assert_close(guided_backprop(network, images, targets), expected.abs().max(dim=1).values)


@pytest.mark.parametrize("architecture", ["inception_v3", "efficientnet_lite0"])
def test_functional_relus_and_relu6_are_guided(architecture):
    """inception_v3 calls functions, efficientnet_lite0 has ReLU6."""
    images, targets = torch.randn(1, 3, 96, 96, generator=torch.Generator().manual_seed(0)), torch.tensor([1])
    torch.manual_seed(0)
    network = build_network(architecture, "CAM", 3).eval()
    plain, guided = image_gradient(network, images, targets), guided_gradient(network, images, targets)
    assert guided.isfinite().all() and guided.abs().sum() > 0
    assert torch.cosine_similarity(plain.flatten(), guided.flatten(), dim=0) < 0.9


def test_guided_gradcam_is_the_product():
    network, (images, targets) = tiny_network("CALM_ML"), tiny_batch(2)
    maps = gradcam(network, images, targets)
    enlarged = F.interpolate(maps[:, None], images.shape[2:], mode="bilinear", align_corners=False)
    expected = (guided_gradient(network, images, targets) * enlarged).abs().max(dim=1).values
    torch.testing.assert_close(guided_gradcam(network, images, targets), expected)
    ones = torch.ones(2, 3, 3)
    torch.testing.assert_close(times_map(images, ones), images.abs().max(dim=1).values)


def test_other_activations_are_refused_and_the_network_still_works():
    network, (images, targets) = tiny_network("CAM"), tiny_batch(1)
    before = network(images).class_maps
    network.bn1.register_forward_hook(lambda module, inputs, output: F.silu(output))
    with pytest.raises(UserError, match="this network uses silu"):
        guided_gradient(network, images, targets)
    network.bn1._forward_hooks.clear()
    torch.testing.assert_close(network(images).class_maps, before)
