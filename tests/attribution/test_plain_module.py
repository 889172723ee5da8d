"""Maps of a classifier that is no network of ours: those of the same network in our own form."""

import pytest
import torch
from torch import nn

import calm
from calm.errors import UserError
from tests.tiny_networks import tiny_batch, tiny_network


class Logits(nn.Module):
    """A tiny CAM network's layers as anybody would write them: features, mean, linear."""

    def __init__(self, network) -> None:
        super().__init__()
        self.front = nn.Sequential(network.conv1, network.bn1, nn.ReLU(), network.conv2, nn.ReLU())
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(network.channels, network.num_classes)
        with torch.no_grad():
            self.fc.weight.copy_(network.conv_last.weight.flatten(1))
            self.fc.bias.copy_(network.conv_last.bias)

    def forward(self, images):
        return self.fc(self.pool(self.front(images)).flatten(1))


NAMES = ("gradient", "smoothgrad", "guided_backprop", "gradcam", "gradcam++", "layercam", "scorecam", "ablationcam")


@pytest.mark.parametrize("name", [*NAMES, "finercam", "guided_gradcam", "taylorcam"])
def test_maps_are_those_of_the_same_network_of_ours(name):
    network = tiny_network("CAM")
    images, targets = tiny_batch()
    module = Logits(network)
    expected = calm.attribute(name, network, images, targets)
    torch.testing.assert_close(calm.attribute(name, module, images, targets), expected, rtol=1e-3, atol=1e-6)
    assert module.training is True and not module.front._forward_hooks


def test_layers_of_a_module_are_named(capsys):
    module = Logits(tiny_network("CAM"))
    images, targets = tiny_batch()
    of_layer = calm.attribute("gradcam", module, images, targets, layers="front.4")
    torch.testing.assert_close(of_layer, calm.attribute("gradcam", module, images, targets))
    assert calm.attribute("scorecam", module, images, targets, layers="front.0").shape == (3, 6, 6)
    with pytest.raises(UserError, match=r"no layer 'front\.9'"):
        calm.attribute("gradcam", module, images, targets, layers="front.9")


@pytest.mark.parametrize("name", ["joint", "cam", "lficam"])
def test_maps_that_need_class_maps_say_so(name):
    images, targets = tiny_batch()
    with pytest.raises(UserError, match=rf"the attribution {name} reads the class maps .* logits alone"):
        calm.attribute(name, Logits(tiny_network("CAM")), images, targets)
    with pytest.raises(UserError, match=r"gives \[3, 6, 6, 6\] .* logits \[B,K\] should be"):
        calm.attribute("gradient", Logits(tiny_network("CAM")).front, images, targets)


@pytest.mark.parametrize(("name", "options"), [("gradient", {}), ("gradcam", {}), ("finercam", {"versus": 5})])
def test_a_class_that_it_does_not_score_is_one_sentence(name, options):
    images, _ = tiny_batch()
    targets = torch.tensor([0, 1, 0 if options else 5])
    with pytest.raises(UserError, match="has class 5, but class indices go from 0 to 4"):
        calm.attribute(name, Logits(tiny_network("CAM")), images, targets, **options)


def test_cam_of_a_difference_needs_class_maps():
    images, targets = tiny_batch()
    with pytest.raises(UserError, match="reads class maps"):
        calm.attribute("finercam", Logits(tiny_network("CAM")), images, targets, finercam_base="cam")
