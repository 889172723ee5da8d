"""The record of a training method: names, options by name, the objective of EM with a lagging theta'."""

import pytest
import torch

from calm.errors import UserError
from calm.networks import METHODS, build_network
from calm.networks.methods import build_objective, canonical_method
from calm.networks.methods.base import Method, Objective
from calm.networks.methods.cam import CAM
from tests.tiny_networks import tiny_batch, tiny_network


def test_names_are_found_in_any_case(monkeypatch):
    monkeypatch.setitem(METHODS, "HaS", CAM)
    assert [canonical_method(name) for name in ("calm-em", "CALM_ML", "has", " HAS ")] == [
        "CALM_EM",
        "CALM_ML",
        "HaS",
        "HaS",
    ]
    with pytest.raises(UserError, match="`attribution_method` 'CALM' is unknown: choose CAM, CALM_ML, CALM_EM, HaS"):
        canonical_method("CALM")


def test_head_and_loss_come_first_and_the_prior_is_the_head_s():
    for name, method in METHODS.items():
        output = tiny_network(name)(tiny_batch()[0])
        assert method[:2] == (method.head, method.loss)
        assert method.needs_prior == output.has_prior == (method.default_map == "joint")


@pytest.mark.parametrize("name", ["CAM", "CALM_ML", "CALM_EM"])
def test_an_objective_is_by_default_the_loss_of_the_output(name):
    network, (images, targets) = tiny_network(name), tiny_batch()
    objective = build_objective(name, network, {"em_target": "current", "em_momentum": 0.999, "lr": 0.1})
    assert torch.equal(objective(network, images, targets), METHODS[name].loss(network(images), targets))
    objective.after_step(network)
    assert objective.state_dict() == {}


def test_an_option_of_another_method_is_refused():
    with pytest.raises(UserError, match="`em_target`=ema belongs to CALM_EM, not to CAM"):
        build_objective("CAM", tiny_network("CAM"), {"em_target": "ema"})
    with pytest.raises(UserError, match=r"unknown option `prior_activatoin`; heads take .*prior_activation"):
        build_network("resnet18", "CALM_ML", 2, prior_activatoin="relu")


def test_a_lagging_theta_is_the_average_that_a_checkpoint_keeps():
    network, other, (images, targets) = tiny_network("CALM_EM"), tiny_network("CALM_EM", seed=7), tiny_batch()
    values = {"em_target": "ema", "em_momentum": 0.75}
    objective = build_objective("CALM_EM", network, values)
    objective.after_step(other)
    average = {
        name: old if not old.is_floating_point() else 0.75 * old + 0.25 * other.state_dict()[name]
        for name, old in network.state_dict().items()
    }
    average |= dict(other.named_buffers())
    kept = objective.state_dict()
    assert list(kept) == ["teacher_state_dict"]
    for name, wanted in average.items():
        torch.testing.assert_close(kept["teacher_state_dict"][name], wanted)
    lagging = tiny_network("CALM_EM")
    lagging.load_state_dict(average)
    q = lagging(images).log_joint_of(targets).flatten(1).softmax(1)
    eq6 = -(q * network(images).log_joint_of(targets).flatten(1)).sum(1).mean()
    torch.testing.assert_close(objective(network, images, targets), eq6)
    again = build_objective("CALM_EM", network, values)
    again.load_state_dict({"epoch": 3, **kept})
    assert torch.equal(again(network, images, targets), objective(network, images, targets))


def test_options_are_the_keyword_only_parameters(monkeypatch):
    class Scaled(Objective):
        def __init__(self, loss, network, *, em_momentum=0.999):
            super().__init__(lambda output, targets: em_momentum * loss(output, targets), network)

    monkeypatch.setitem(METHODS, "Scaled", Method(CAM.head, CAM.loss, Scaled))
    network, (images, targets) = tiny_network("CAM"), tiny_batch()
    objective = build_objective("Scaled", network, {"em_momentum": 0.5, "epochs": 3})
    assert torch.equal(objective(network, images, targets), 0.5 * CAM.loss(network(images), targets))


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("is_training", [False, True])
def test_under_autocast_a_head_works_in_float32(name, is_training):
    network, (images, targets) = tiny_network(name).train(is_training), tiny_batch()
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        features = network.features(images)
        output = network.read_out(features, images=images, targets=targets)
    assert features.dtype == torch.bfloat16
    if hasattr(network, "conv_last") and name != "LFI_CAM":  # which weighs its features first
        weight, bias = network.conv_last.weight[:, :, 0, 0].double(), network.conv_last.bias.double()
        wanted = torch.einsum("kc,bchw->bkhw", weight, features.double()) + bias[:, None, None]
        assert (output.class_maps - wanted).abs().max() < 1e-6
    tensors = [tensor for field in output for tensor in (field if isinstance(field, tuple) else (field,))]
    heads = [tensor for tensor in tensors if isinstance(tensor, torch.Tensor) and tensor.dtype == torch.float32]
    assert heads and not any(torch.equal(tensor, tensor.bfloat16().float()) for tensor in heads)


@torch.no_grad()
@pytest.mark.parametrize("name", ["CAM", "CALM_EM", "SPG"])
def test_under_autocast_a_head_whose_weights_were_cast_works_in_their_type(name):
    network, (images, _) = tiny_network(name).bfloat16(), tiny_batch()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = network(images).log_p_y
    torch.testing.assert_close(found, network(images.bfloat16()).log_p_y, rtol=0.1, atol=0.1)
