"""Where a cell looks: kernel, stride and padding against the gradients of untrained networks."""

import pytest
import torch
from timm.layers import Conv2dSame
from torch import nn

from calm.networks import TRUNKS
from calm.networks.trunks import trunk_named
from calm.networks.trunks.cells import cell_grid, measured_offset
from calm.networks.trunks.lite0 import STRIDED_KERNELS, windows_of_tensorflow
from calm.networks.trunks.options import TrunkOptions


def trunk(architecture, large):
    torch.manual_seed(0)
    return trunk_named(architecture)(TrunkOptions(large_feature_map=large)).eval()


@pytest.mark.parametrize("architecture", TRUNKS)
@pytest.mark.parametrize("large", [False, True])
def test_a_cell_looks_where_its_gradient_is(architecture, large):
    network = trunk(architecture, large)
    assert network.cell_stride == (8 if large else 16)
    measured = measured_offset(network.features, network.cell_stride, side=256, images=1)
    wide = architecture == "efficientnet_lite0"  # its receptive field is cut at all sides of such an image
    assert measured == pytest.approx(network.cell_offset, abs=7 if wide else 2)


@pytest.mark.parametrize(
    ("architecture", "offsets"),
    [("resnet50", (0, 0)), ("vgg16", (7.5, 3.5)), ("inception_v3", (14, 6)), ("efficientnet_lite0", (15, 7))],
)
def test_offsets_in_pixels(architecture, offsets):
    assert tuple(trunk(architecture, large).cell_offset for large in (False, True)) == offsets


def test_two_layers_by_hand():
    layers = nn.Sequential(nn.Conv2d(3, 8, 5, stride=3), nn.Conv2d(8, 8, 3, stride=2, padding=1))
    # the first looks at 0..4, 3..7, ...: centres 2, 5, ...; the second at its cells -1..1, 1..3, ...: centres 0, 2, ...
    assert cell_grid([(5, 3, 0), (3, 2, 1)]) == (6, 2.0)
    assert measured_offset(layers, 6, side=96, images=8) == pytest.approx(2, abs=0.3)


@pytest.mark.parametrize("side", [224, 72, 100, 250])
def test_tensorflow_s_padding_follows_the_side(side):
    """Layers of ones pass the gradient on to their windows alone, evenly."""
    layers = nn.Sequential(*(Conv2dSame(1, 1, kernel, stride=2, bias=False) for kernel in (3, 3, 5, 3)))
    for layer in layers:
        nn.init.ones_(layer.weight)
    image = torch.zeros(1, 1, side, side, requires_grad=True)
    cells = layers(image)[0, 0]
    middle = len(cells) // 2
    (gradient,) = torch.autograd.grad(cells[middle, middle], image)
    mass = gradient[0, 0].sum(dim=0).double()
    centre = float((mass * torch.arange(side)).sum() / mass.sum())
    stride, offset = cell_grid(windows_of_tensorflow(side, STRIDED_KERNELS))
    assert stride == 16 and offset == pytest.approx(centre - 16 * middle)
    network = trunk_named("efficientnet_lite0")(TrunkOptions(image_size=side))
    assert network.cell_offset == offset


def test_a_trunk_of_timm_is_measured():
    state = torch.get_rng_state()
    network = trunk_named("timm:resnet18")(TrunkOptions())
    after_building = torch.get_rng_state()
    assert network.cell_offset == pytest.approx(0, abs=1)
    assert torch.equal(torch.get_rng_state(), after_building) and not torch.equal(state, after_building)


def test_a_trunk_of_timm_that_gives_a_list_of_features_is_measured():
    """All its windows are padded alike on both sides."""
    assert trunk_named("timm:mobilenetv3_small_050")(TrunkOptions()).cell_offset == pytest.approx(0, abs=3)


@pytest.mark.parametrize("architecture", ["timm:mobilenetv3_small_050", "torchvision:squeezenet1_1"])
def test_measuring_leaves_the_generators_of_every_device_alone(architecture, monkeypatch):
    network, seeds = trunk_named(architecture)(TrunkOptions()), []
    monkeypatch.setattr("torch.cuda.manual_seed_all", seeds.append)
    kept = torch.get_rng_state()
    assert network.cell_offset == network.cell_offset
    assert not seeds and torch.equal(torch.get_rng_state(), kept)
