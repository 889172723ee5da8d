import pytest
import torch
import torch.nn.functional as F
from torch import nn

from calm.errors import UserError
from calm.networks.guided_relu import GuidedReLU
from calm.networks.methods import METHODS, build_objective
from calm.networks.methods.gradient_loss import gradient_distance, gradient_loss
from tests.expected_methods import form
from tests.tiny_networks import tiny_batch, tiny_network


def tiny() -> nn.Sequential:
    """Convolutions with reused, in-place ReLUs, float64, weights by formula."""
    relu = nn.ReLU(inplace=True)
    network = nn.Sequential(nn.Conv2d(2, 3, 3, padding=1), relu, nn.Conv2d(3, 4, 3, padding=1), relu).double()
    for i, parameter in enumerate(network.parameters()):
        parameter.data = form(tuple(parameter.shape), 0.37 + 0.11 * i, 0.2 * i)
    return network


def loss_of(network, images):
    return F.cross_entropy(network(images).mean(dim=(2, 3)), torch.tensor([0, 2]))


def manual_gradients(network, images):
    """(plain, guided) of the mean loss by the chain rule, layer by layer."""
    x = images.detach()
    first, second = network[0], network[2]
    a = F.conv2d(x, first.weight, first.bias, padding=1)
    b = F.conv2d(a.clamp_min(0), second.weight, second.bias, padding=1)
    scores = b.clamp_min(0).mean(dim=(2, 3))
    error = (scores.softmax(dim=1) - F.one_hot(torch.tensor([0, 2]), 4)) / len(x)
    results = []
    for guided in (False, True):
        g = (error / b[0, 0].numel())[:, :, None, None].expand_as(b) * (b > 0)
        g = g.clamp_min(0) if guided else g
        g = F.conv_transpose2d(g, second.weight, padding=1) * (a > 0)
        g = g.clamp_min(0) if guided else g
        results.append(F.conv_transpose2d(g, first.weight, padding=1))
    return results


def slow_distance(gradients, guided, kind):
    distances = []
    for a, b in zip(gradients * len(gradients), guided * len(guided)):
        a, b = a.flatten(), b.flatten()
        if kind == "cosine":
            distances.append(1 - (a @ b) / (a.norm() * b.norm()))
        else:
            distances.append(sum((x - y).abs() if kind == "mae" else (x - y) ** 2 for x, y in zip(a, b)) / len(a))
    return sum(distances) / len(distances)


@pytest.mark.parametrize("kind", ["cosine", "mae", "mse"])
def test_equals_the_chain_rule_by_hand(kind):
    network, images = tiny(), form((2, 2, 6, 6), 0.23, 0.6).requires_grad_(True)
    with GuidedReLU() as relus:
        ours = gradient_loss(loss_of(network, images), images, relus, kind)
    torch.testing.assert_close(ours.detach(), slow_distance(*manual_gradients(network, images), kind).detach())


@pytest.mark.parametrize("kind", ["cosine", "mae", "mse"])
def test_parameter_gradients_by_finite_differences(kind):
    """The guided gradient counts as fixed: only the plain one may move."""
    network, images = tiny(), form((2, 2, 5, 5), 0.23, 0.6).requires_grad_(True)
    _, fixed = manual_gradients(network, images)
    fixed = fixed.detach()
    with GuidedReLU() as relus:
        loss = gradient_loss(loss_of(network, images), images, relus, kind)
    gradients = torch.autograd.grad(loss, list(network.parameters()), allow_unused=True)
    step = 1e-6
    for parameter, gradient in zip(network.parameters(), gradients):
        gradient = torch.zeros_like(parameter) if gradient is None else gradient
        for k in range(0, parameter.numel(), 7):
            moved = []
            for sign in (1, -1):
                parameter.data.view(-1)[k] += sign * step
                moved.append(slow_distance(manual_gradients(network, images)[0], fixed, kind).item())
                parameter.data.view(-1)[k] -= sign * step
            assert gradient.flatten()[k].item() == pytest.approx((moved[0] - moved[1]) / (2 * step), rel=1e-4, abs=1e-7)


def test_mean_absolute_and_square_distances_do_not_depend_on_the_batch_size():
    one, other = form((1, 3, 2, 2), 0.3, 0.1), form((1, 3, 2, 2), 0.7, 0.4)
    for kind in ("mae", "mse", "cosine"):
        alone = gradient_distance(one, other, kind)
        twice = gradient_distance(one.repeat(2, 1, 1, 1) / 2, other.repeat(2, 1, 1, 1) / 2, kind)
        torch.testing.assert_close(alone, twice)


def test_zero_gradients_are_finite_and_half_precision_is_not_used():
    zeros = torch.zeros(2, 3, 2, 2, dtype=torch.bfloat16, requires_grad=True)
    for kind in ("mae", "mse", "cosine"):
        distance = gradient_distance(zeros * 1, torch.ones(2, 3, 2, 2, dtype=torch.bfloat16), kind)
        assert distance.dtype == torch.float32
        assert torch.autograd.grad(distance, zeros)[0].isfinite().all()


def test_unknown_kind():
    with pytest.raises(UserError, match="`gradient_loss` 'l1' is unknown: choose cosine, mae, mse"):
        gradient_distance(torch.ones(1, 1), torch.ones(1, 1), "l1")


@pytest.mark.parametrize("method", ["CAM", "CALM_ML", "CALM_EM", "ACoL", "LFI_CAM", "HaS", "SPG"])
@pytest.mark.parametrize("kind", ["cosine", "mse"])
def test_any_method_can_have_it(method, kind):
    """Loss and parameter gradients of a step are those of the loss alone plus the weighted distance's."""
    network, (images, targets) = tiny_network(method).double().train(), tiny_batch(3)
    images = images.double()
    plain = build_objective(method, network, {})
    torch.manual_seed(2)
    alone = plain(network, images, targets)
    objective = build_objective(method, network, {"gradient_loss": kind, "gradient_loss_weight": 0.3})
    torch.manual_seed(2)
    loss = objective(network, images, targets)
    leaf = images.clone().requires_grad_(True)
    torch.manual_seed(2)
    with GuidedReLU() as relus:
        distance = gradient_loss(plain(network, leaf, targets), leaf, relus, kind)
    torch.testing.assert_close(loss, alone + 0.3 * distance)
    loss.backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters() if p.requires_grad)
    assert not images.requires_grad


@pytest.mark.parametrize("method", ["CAM", "CALM_ML", "CALM_EM"])
def test_gradients_of_the_whole_by_finite_differences(method):
    """With the guided gradient held fixed, and EM's posterior too."""
    em = method == "CALM_EM"
    network, (images, targets) = tiny_network(method, channels=2).double().eval(), tiny_batch(2, 6)
    images = images.double()
    objective = build_objective(method, network, {"gradient_loss": "mse", "gradient_loss_weight": 10.0})
    objective(network, images, targets).backward()
    leaf = images.clone().requires_grad_(True)
    with GuidedReLU():
        loss = METHODS[method].loss(network(leaf), targets)
        (guided,) = torch.autograd.grad(loss, leaf)

    q = torch.softmax(network(images).log_joint_of(targets).detach().flatten(1), dim=1).view(2, 3, 3) if em else None

    def whole():
        leaf = images.clone().requires_grad_(True)
        loss = METHODS[method].loss(network(leaf), targets, *([q] if em else []))
        (gradient,) = torch.autograd.grad(loss, leaf)
        return (loss + 10 * gradient_distance(gradient, guided, "mse")).item()

    for parameter in (network.conv1.weight, network.conv_last.weight):
        for k in range(0, parameter.numel(), 5):
            moved = []
            for sign in (1, -1):
                parameter.data.view(-1)[k] += sign * 1e-6
                moved.append(whole())
                parameter.data.view(-1)[k] -= sign * 1e-6
            expected = (moved[0] - moved[1]) / 2e-6
            assert parameter.grad.flatten()[k].item() == pytest.approx(expected, rel=1e-4, abs=1e-6)


def test_teacher_and_state_pass_through():
    network, (images, targets) = tiny_network("CALM_EM").train(), tiny_batch(3)
    options = {"gradient_loss": "cosine", "gradient_loss_weight": 0.1, "em_target": "ema", "em_momentum": 0.5}
    objective = build_objective("CALM_EM", network, options)
    objective(network, images, targets).backward()
    with torch.no_grad():
        network.conv1.weight.add_(1)
    objective.after_step(network)
    state = objective.state_dict()
    assert "teacher_state_dict" in state
    again = build_objective("CALM_EM", network, options)
    again.load_state_dict(state)
    for name, tensor in again.state_dict()["teacher_state_dict"].items():
        assert torch.equal(tensor, state["teacher_state_dict"][name])
