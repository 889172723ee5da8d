import pytest
import torch

from calm.attribution import build_attribution
from calm.attribution.catalogue import resolve_name
from calm.errors import UserError
from calm.networks import METHODS
from tests.tiny_networks import tiny_batch, tiny_network


def unit(map_):
    return (map_ - map_.min()) / (map_.max() - map_.min())


def test_acols_map_is_the_larger_of_both_branches():
    network, (images, targets) = tiny_network("ACoL"), tiny_batch(3)
    maps = build_attribution("acol")(network, images, targets)
    features = network.features(images).detach()
    for b, y in enumerate(targets.tolist()):
        a = network.classifier_A(features[b : b + 1])[0, y]
        kept = features[b : b + 1] * (unit(a) < 0.7)
        expected = torch.maximum(unit(a), unit(network.classifier_B(kept)[0, y]))
        torch.testing.assert_close(maps[b], expected.detach())


def test_lficams_map_is_that_of_the_forward_pass_and_of_every_class():
    network, (images, targets) = tiny_network("LFI_CAM"), tiny_batch(3)
    maps = build_attribution("lficam")(network, images, targets)
    assert torch.equal(maps, network(images).attention.detach())
    assert torch.equal(maps, build_attribution("lficam")(network, images, (targets + 1) % 5))


@pytest.mark.parametrize(("method", "name"), [("ACoL", "acol"), ("LFI_CAM", "lficam"), ("SPG", "cam"), ("HaS", "cam")])
def test_they_come_with_their_methods(method, name):
    assert METHODS[method].default_map == name
    assert resolve_name(None, "activation_map", method) == name


@pytest.mark.parametrize("name", ["acol", "lficam"])
def test_other_networks_do_not_have_them(name):
    network, (images, targets) = tiny_network("CAM"), tiny_batch(1)
    with pytest.raises(UserError, match="which this network does not have"):
        build_attribution(name)(network, images, targets)
    with pytest.raises(UserError, match=f"{name} is of networks trained by (ACoL|LFI_CAM)"):
        resolve_name(name, "activation_map", "CALM_EM")


@pytest.mark.parametrize("method", ["ADL", "ACoL", "SPG", "LFI_CAM", "CutMix"])
@pytest.mark.parametrize("name", ["cam", "gradcam", "layercam", "gradient", "finercam", "taylorcam", "ablationcam"])
def test_other_maps_work_on_their_networks(method, name):
    network, (images, targets) = tiny_network(method), tiny_batch(2)
    maps = build_attribution(name)(network, images, targets)
    assert len(maps) == 2 and maps.isfinite().all()
