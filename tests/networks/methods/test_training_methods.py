"""Every training method as a whole: one step, its gradients, its names, and what it must leave alone."""

import copy

import pytest
import torch
import torch.nn.functional as F

from calm.errors import UserError
from calm.networks import METHODS, build_network
from calm.networks.methods import build_objective
from calm.networks.methods.adl import attend_or_drop
from calm.networks.methods.cutmix import Box, cut_box, kept_share, paste
from calm.networks.methods.has import hide, squares
from calm.networks.methods.spg import Thresholds, spg_losses
from calm.networks.methods.spg_network import DEFAULT_THRESHOLDS
from tests.tiny_networks import tiny_batch, tiny_network

OURS = ("HaS", "CutMix", "ADL", "ACoL", "SPG", "LFI_CAM")


def one_step(method, *, seed=0, **options):
    """(network in training mode, loss) of one batch."""
    network, (images, targets) = tiny_network(method).train(), tiny_batch(4)
    objective = build_objective(method, network, options)
    torch.manual_seed(seed)
    return network, objective(network, images, targets)


@pytest.mark.parametrize("method", METHODS)
def test_every_parameter_gets_a_gradient(method):
    network, loss = one_step(method)
    loss.backward()
    assert loss.isfinite()
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None and parameter.grad.isfinite().all(), name


@pytest.mark.parametrize("method", METHODS)
def test_a_step_is_a_function_of_the_seed(method):
    assert torch.equal(one_step(method, seed=3)[1], one_step(method, seed=3)[1])


@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("HaS", {"has_grid_size": 0}),
        ("HaS", {"has_drop_rate": 0.0}),
        ("CutMix", {"cutmix_beta": 0.0}),
        ("CutMix", {"cutmix_prob": 0.0}),
    ],
)
def test_switched_off_it_is_cam_bit_for_bit(method, options):
    network, loss = one_step(method, **options)
    plain, cam_loss = one_step("CAM")
    loss.backward()
    cam_loss.backward()
    assert torch.equal(loss, cam_loss)
    for mine, theirs in zip(network.parameters(), plain.parameters()):
        assert mine.grad is None if theirs.grad is None else torch.equal(mine.grad, theirs.grad)


def test_cam_draws_nothing():
    torch.manual_seed(0)
    state = torch.random.get_rng_state()
    network, (images, targets) = tiny_network("CAM").train(), tiny_batch(4)
    loss = build_objective("CAM", network, {})(network, images, targets)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.equal(loss, F.cross_entropy(copy.deepcopy(network)(images).class_maps.mean(dim=(2, 3)), targets))


@pytest.mark.parametrize(("method", "plain"), [("HaS", "CAM"), ("HaS_CALM_ML", "CALM_ML"), ("HaS_CALM_EM", "CALM_EM")])
def test_has_is_the_loss_on_hidden_images(method, plain):
    _, loss = one_step(method, seed=5, has_grid_size=5, has_drop_rate=0.4)
    network, (images, targets) = tiny_network(plain).train(), tiny_batch(4)
    torch.manual_seed(5)
    draws = torch.rand(4, squares(12, 5), squares(12, 5))
    hidden = hide(images, draws, has_grid_size=5, has_drop_rate=0.4)
    torch.testing.assert_close(loss, METHODS[plain].loss(network(hidden), targets))


@pytest.mark.parametrize(("method", "plain"), [("CutMix", "CAM"), ("CutMix_CALM_ML", "CALM_ML")])
def test_cutmix_is_the_mixed_loss(method, plain, monkeypatch):
    monkeypatch.setattr("calm.networks.methods.cutmix.draw_kept_share", lambda beta: 0.6)
    monkeypatch.setattr("calm.networks.methods.cutmix.draw_centre", lambda height, width: (3, 8))
    monkeypatch.setattr(torch, "randperm", lambda n: torch.arange(n).flip(0))
    _, loss = one_step(method)
    network, (images, targets) = tiny_network(plain).train(), tiny_batch(4)
    box = cut_box(0.6, (3, 8), 12, 12)
    assert box == Box(0, 6, 5, 11)
    output = network(paste(images, torch.arange(4).flip(0), box))
    lam = 1 - 36 / 144
    assert kept_share(box, 12, 12) == lam
    of_loss = METHODS[plain].loss
    torch.testing.assert_close(loss, lam * of_loss(output, targets) + (1 - lam) * of_loss(output, targets.flip(0)))


def test_adl_acts_behind_its_places_in_training_only():
    network, (images, targets) = tiny_network("ADL").train(), tiny_batch(3)
    objective = build_objective("ADL", network, {"adl_drop_rate": 0.5, "adl_threshold": 0.6})
    draws, plain = [], copy.deepcopy(network)
    torch.manual_seed(1)
    loss = objective(network, images, targets)
    torch.manual_seed(1)
    for module in plain.modules():
        module._forward_hooks.clear()
    draws = [float(torch.rand(())) for _ in plain.dropout_places]
    assert list(plain.dropout_places) == ["bn1", "conv2"]
    low = attend_or_drop(plain.bn1(plain.conv1(images)), draws[0], adl_drop_rate=0.5, adl_threshold=0.6)
    high = attend_or_drop(plain.conv2(low.relu()), draws[1], adl_drop_rate=0.5, adl_threshold=0.6)
    expected = F.cross_entropy(plain.conv_last(high.relu()).mean(dim=(2, 3)), targets)
    torch.testing.assert_close(loss, expected)
    network.eval()
    plain.load_state_dict(network.state_dict())
    assert torch.equal(network(images).class_maps, plain.eval()(images).class_maps)


def test_spg_is_the_sum_of_its_parts():
    network, loss = one_step("SPG", spg_threshold_2h=0.5, spg_threshold_2l=0.3)
    plain, (images, targets) = tiny_network("SPG").train(), tiny_batch(4)
    first = plain.conv1(images)
    second = plain.bn1(first).relu()  # the ReLU behind the place bn1 works in place
    features = plain.conv2(second).relu()
    assert (plain.guidance_places.first, plain.guidance_places.second) == ("conv1", "bn1")
    branches = (
        plain.SPG_B_shared(plain.SPG_B_1a(first)),
        plain.SPG_B_shared(plain.SPG_B_2a(second)),
        plain.SPG_C(features),
    )
    thresholds = (DEFAULT_THRESHOLDS[0], Thresholds(0.5, 0.3), DEFAULT_THRESHOLDS[2])
    parts = spg_losses(plain.conv_last(features), branches, targets, size=(12, 12), thresholds=thresholds)
    torch.testing.assert_close(loss, sum(parts))
    assert not network.head.seen  # features of the last step are not kept


@pytest.mark.parametrize("method", ["SPG", "InCA_like"])
def test_a_frozen_trunk_shows_its_places_too(method):
    network, (images, targets) = tiny_network(method), tiny_batch(4)
    network.freeze_trunk()
    build_objective(method, network.train(), {})(network, images, targets).backward()
    assert network.conv1.weight.grad is None and network.conv_last.weight.grad is not None


def test_acol_erases_by_the_true_class_and_without_one_by_the_predicted():
    network, (images, _) = tiny_network("ACoL"), tiny_batch(3)
    output = network(images)
    told = network(images, output.class_scores.argmax(dim=1))
    assert torch.equal(output.maps_b, told.maps_b)
    other = network(images, (output.class_scores.argmax(dim=1) + 1) % 5)
    assert torch.equal(output.class_maps, other.class_maps) and not torch.equal(output.maps_b, other.maps_b)


def test_acol_on_resnet50_has_80_5_million_parameters():
    network = build_network("resnet50", "ACoL", 200)
    assert round(sum(parameter.numel() for parameter in network.parameters()) / 1e6, 1) == 80.5


NAMES = {
    "HaS": {"conv_last.weight", "conv_last.bias", "attention.0.weight", "attention.0.bias"},
    "ACoL": {f"classifier_{b}.{n}.{p}" for b in "AB" for n in (0, 2, 4) for p in ("weight", "bias")},
    "SPG": {
        f"{name}.{p}"
        for name in (
            *("conv_last", "SPG_B_1a.0", "SPG_B_2a.0", "SPG_B_shared.0", "SPG_B_shared.2", "SPG_C.0", "SPG_C.2"),
        )
        for p in ("weight", "bias")
    },
    "LFI_CAM": {"conv_last.weight", "conv_last.bias"}
    | {f"att_conv{n}.weight" for n in range(1, 5)}
    | {
        f"att_bn{n}.{p}"
        for n in range(1, 5)
        for p in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    },
}
NAMES["CutMix"] = NAMES["ADL"] = NAMES["HaS"]


@pytest.mark.parametrize("method", NAMES)
def test_names_of_the_state_dict(method):
    names = set(build_network("resnet18", method, 3).state_dict())
    trunk = {name for name in build_network("resnet18", "CAM", 3).state_dict() if name.split(".")[0] not in HEAD}
    assert names == trunk | NAMES[method]


HEAD = ("conv_last", "attention")


@pytest.mark.parametrize("architecture", ["resnet18", "vgg16", "inception_v3", "efficientnet_lite0"])
@pytest.mark.parametrize("method", ["ADL", "ACoL", "SPG", "InCA_like"])
@pytest.mark.parametrize("large", [False, True])
def test_methods_that_know_the_trunk_train_on_every_trunk(architecture, method, large):
    torch.manual_seed(0)
    network = build_network(architecture, method, 3, large_feature_map=large).train()
    images, targets = torch.randn(2, 3, 64, 64), torch.tensor([0, 2])
    loss = build_objective(method, network, {})(network, images, targets)
    loss.backward()
    assert loss.isfinite()
    unused = [name for name, p in network.named_parameters() if p.requires_grad and p.grad is None]
    assert not unused
    network.eval()
    side = 8 if large else 4
    with torch.no_grad():
        assert network(images).class_maps.shape == (2, 3, side, side)


@pytest.mark.parametrize(
    ("method", "options", "words"),
    [
        ("HaS", {"has_drop_rate": 1.5}, "`has_drop_rate`=1.5"),
        ("HaS", {"has_grid_size": -1}, "`has_grid_size`=-1"),
        ("CutMix", {"cutmix_prob": 2.0}, "`cutmix_prob`=2.0"),
        ("CutMix", {"cutmix_beta": -1.0}, "`cutmix_beta`=-1.0"),
        ("ADL", {"adl_threshold": 2.0}, "`adl_threshold`=2.0"),
        (
            "SPG",
            {"spg_threshold_2h": 0.2, "spg_threshold_2l": 0.4},
            "`spg_threshold_2l`=0.4 and `spg_threshold_2h`=0.2",
        ),
        ("SPG", {"spg_threshold_1h": 1.2}, "`spg_threshold_1h`=1.2"),
    ],
)
def test_bad_options(method, options, words):
    with pytest.raises(UserError, match=words):
        build_objective(method, tiny_network(method), options)


def test_acol_threshold_outside_is_refused():
    with pytest.raises(UserError, match=r"`acol_threshold`=1\.5"):
        build_network("resnet18", "ACoL", 3, acol_threshold=1.5)


def test_cutmix_on_a_batch_of_one():
    network, (images, targets) = tiny_network("CutMix").train(), tiny_batch(1)
    objective = build_objective("CutMix", network, {})
    with pytest.raises(UserError, match="a batch of one has no other"):
        objective(network, images, targets)
    objective(network, *tiny_batch(2))
    assert objective(network, images, targets).isfinite()  # the last, smaller batch of an epoch


@pytest.mark.parametrize(
    ("method", "options", "full", "words"),
    [
        ("CutMix", {}, 1, "a batch of one has no other"),
        ("CutMix_CALM_EM", {"gradient_loss": "mae"}, 1, "a batch of one has no other"),
        ("HaS", {"has_grid_size": 33}, 4, "`has_grid_size`=33: a square of so many pixels is larger"),
    ],
)
def test_what_cannot_be_trained_on_is_refused_before_the_first_epoch(method, options, full, words):
    with pytest.raises(UserError, match=words):
        build_objective(method, tiny_network(method), options).check(full, 32)
    options = {name: 32 if name == "has_grid_size" else value for name, value in options.items()}
    build_objective(method, tiny_network(method), options).check(2, 32)


@pytest.mark.parametrize("method", ["ADL", "SPG", "InCA_like"])
def test_a_trunk_without_places_is_refused(method, monkeypatch):
    with pytest.raises(UserError, match=r"places are not defined for `architecture`=timm:"):
        build_objective(method, build_network("timm:mobilenetv3_small_100", method, 3), {})


def test_lfi_needs_the_images():
    network, (images, _) = tiny_network("LFI_CAM"), tiny_batch(2)
    features = network.features(images)
    with pytest.raises(UserError, match="looks at the images once more"):
        network.read_out(features)
    assert torch.equal(network.read_out(features, images=images).class_maps, network(images).class_maps)
