import captum.attr
import pytest
import torch
import torchcam.methods

from calm.attribution import ATTRIBUTIONS, build_attribution, canonical_name, libraries, options_of
from calm.attribution.layer_gradients import last_layer_gradient
from calm.errors import UserError
from tests.tiny_networks import tiny_batch, tiny_network

NAMES = [f"torchcam:{name}" for name in libraries.torchcam_names()]
NAMES += [f"captum:{name}" for name in libraries.captum_names()]


def named(name):
    library, own = name.split(":")
    return libraries.LIBRARIES[library](own)


@pytest.mark.parametrize("name", NAMES)
def test_every_name_gives_a_map_and_leaves_the_network_alone(name):
    network, (images, targets) = tiny_network("CALM_ML"), tiny_batch(2)
    state = torch.random.get_rng_state()
    with torch.no_grad():
        maps = named(name)(network, images, targets)
        again = named(name)(network, images[1:], targets[1:])
    assert maps.shape == (2, 6, 6) and maps.isfinite().all()
    torch.testing.assert_close(maps[1:], again)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert not images.requires_grad and all(parameter.grad is None for parameter in network.parameters())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in network.modules())


def test_torchcams_gradcampp_is_not_the_papers():
    """torchcam 0.5 weighs by sum relu(g)^3."""
    network, (images, targets) = tiny_network("CAM"), tiny_batch(2)
    features, gradient = last_layer_gradient(network, images, targets)
    weights = gradient.relu().pow(3).sum(dim=(2, 3), keepdim=True)
    maps = libraries.torchcam_map("GradCAMpp")(network, images, targets)
    torch.testing.assert_close(maps, (weights * features).sum(dim=1).relu())


def test_captums_gradient_times_activation():
    network, (images, targets) = tiny_network("CALM_ML"), tiny_batch(2)
    features, gradient = last_layer_gradient(network, images, targets)
    maps = libraries.captum_map("LayerGradientXActivation")(network, images, targets)
    torch.testing.assert_close(maps, (features * gradient).sum(dim=1))


def test_names_are_the_libraries_own():
    assert {"GradCAM", "GradCAMpp", "XGradCAM", "SmoothGradCAMpp", "ScoreCAM"} <= set(libraries.torchcam_names())
    assert all(hasattr(torchcam.methods, name) for name in libraries.torchcam_names())
    assert all(hasattr(captum.attr, name) for name in libraries.captum_names())


@pytest.mark.parametrize("name", ["torchcam:CAM", "torchcam:Other", "captum:Saliency", "captum:LayerLRP"])
def test_unknown_names(name):
    with pytest.raises(UserError, match=r"has no map .* for one layer: choose"):
        named(name)


def test_what_a_library_cannot_do_is_one_sentence(monkeypatch):
    def refuse(self, *words, **options):
        raise ValueError("no such\nthing")

    monkeypatch.setattr(torchcam.methods.GradCAM, "__call__", refuse)
    network, (images, targets) = tiny_network("CAM"), tiny_batch(1)
    with pytest.raises(UserError, match=r"torchcam:GradCAM cannot explain this network \(ValueError: no such\)"):
        libraries.torchcam_map("GradCAM")(network, images, targets)


def test_they_are_attributions_by_name():
    network, (images, targets) = tiny_network("CAM"), tiny_batch(2)
    name = "torchcam:XGradCAM"
    assert canonical_name(name) == name and name in ATTRIBUTIONS and name not in list(ATTRIBUTIONS)
    assert options_of(name) == {"seed"}
    maps = build_attribution(name, seed=1)(network, images, targets)
    torch.testing.assert_close(maps, libraries.torchcam_map("XGradCAM")(network, images, targets))
    with pytest.raises(UserError, match="torchcam has no map 'Gradcam' for one layer: choose FinerCAM, GradCAM"):
        canonical_name("torchcam:Gradcam")
