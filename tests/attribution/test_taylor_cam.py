import pytest
import torch

from calm.attribution.taylor_cam import interactions, pair_interactions, partners, place_map, strongest_pairs, taylorcam
from calm.errors import UserError
from calm.networks import METHODS
from tests.tiny_networks import tiny_batch, tiny_network


def networks(method):
    network, (images, targets) = tiny_network(method, channels=3).double(), tiny_batch(2, 6)
    return network, images.double(), targets


def hessian(network, features, target):
    """[n,C,n,C] of log p(y|x), the whole of it."""
    channels, h, w = features.shape
    whole = torch.autograd.functional.hessian(lambda x: network.read_out(x[None]).log_p_y[0, target], features)
    whole = whole.reshape(channels, h * w, channels, h * w)
    return whole.permute(1, 0, 3, 2)


def slow(network, features, target, *, basic=False):
    """IE by five loops."""
    H, x = hessian(network, features, target), features.flatten(1).T
    n, channels = x.shape
    v = torch.zeros(n, n, dtype=x.dtype)
    for i in range(n):
        for j in range(n):
            total = 0.0
            for k in range(channels):
                for l in range(channels):  # noqa: E741
                    total += x[i, k] * (sum(H[m, k, j, l] for m in range(n)) if basic else H[i, k, j, l])
            v[i, j] = total**2
    return v + v.T


@pytest.mark.parametrize("method", ["CAM", "CALM_ML"])
@pytest.mark.parametrize("variant", ["pairs", "basic"])
def test_equals_the_whole_hessian(method, variant):
    network, images, targets = networks(method)
    ours = interactions(network, images, targets, taylor_variant=variant)
    features = network.features(images).detach()
    for b in range(2):
        expected = slow(network, features[b], targets[b], basic=variant == "basic")
        torch.testing.assert_close(ours[b], expected, rtol=1e-6, atol=1e-18)
    assert ours.abs().max() > 0


def test_on_cam_there_are_no_pairs():
    """v_ij = (x_i . u)^2 with H = -(sum_y p_y W_y W_y^T - Wbar Wbar^T) / n^2, whatever j."""
    network, images, targets = networks("CAM")
    ours = interactions(network, images, targets)
    features = network.features(images).detach()
    W = network.conv_last.weight.detach()[:, :, 0, 0]
    for b in range(2):
        x = features[b].flatten(1).T
        p = network.read_out(features[b : b + 1]).log_p_y[0].exp().detach()
        mean = p @ W
        u = -((W.T * p) @ W - mean[:, None] * mean[None]).sum(dim=1) / len(x) ** 2
        v = ((x @ u) ** 2)[:, None].expand(-1, len(x))
        torch.testing.assert_close(ours[b], v + v.T, rtol=1e-6, atol=1e-18)


def test_a_linear_score_has_no_interactions():
    features = torch.randn(1, 2, 2, 2, requires_grad=True)
    assert not pair_interactions(features.sum(), features).any()


def test_reductions():
    network, images, targets = networks("CALM_ML")
    interaction = interactions(network, images, targets)
    maps = taylorcam(network, images, targets)
    torch.testing.assert_close(maps.flatten(1), interaction.sum(dim=2))
    others = taylorcam(network, images, targets, taylor_self=False)
    for b in range(2):
        for i in range(9):
            expected = sum(interaction[b, i, j] for j in range(9) if j != i)
            torch.testing.assert_close(others[b].flatten()[i], expected)
    row = taylorcam(network, images, targets, taylor_cell=4)
    torch.testing.assert_close(row[1].flatten(), interaction[1, 4])
    torch.testing.assert_close(place_map(interaction, (3, 3)), maps)
    values, places = strongest_pairs(interaction, 2)
    pairs = [(interaction[0, i, j].item(), i, j) for i in range(9) for j in range(i + 1, 9)]
    (first, i, j), (second, *_) = sorted(pairs, reverse=True)[:2]
    assert values[0].tolist() == [first, second] and places[0, 0].tolist() == [i, j]


def test_the_network_is_left_alone():
    network, images, targets = networks("CALM_ML")
    with torch.inference_mode():
        taylorcam(network, images, targets)
    assert all(parameter.grad is None for parameter in network.parameters())


def test_wrong_options():
    network, images, targets = networks("CALM_ML")
    with pytest.raises(UserError, match="`taylor_variant` 'triple'"):
        taylorcam(network, images, targets, taylor_variant="triple")
    with pytest.raises(UserError, match="`taylor_cell`=9 is outside the 3x3 cells"):
        partners(torch.zeros(1, 9, 9), (3, 3), 9)


@pytest.mark.parametrize("method", METHODS)
def test_what_a_head_projects_is_all_that_its_output_is_made_of(method):
    network, (images, _) = tiny_network(method).eval(), tiny_batch(2, 12)
    features = network.features(images).detach()
    projected = network.head.projections(network, features)
    assert projected is not None or not METHODS[method].needs_prior
    if projected is None:
        return
    for ours, read in zip(network.head.of_projections(projected), network.read_out(features, images=images)):
        torch.testing.assert_close(ours, read)
    halves = [network.head.projections(network, part) for part in (0.25 * features, 0.75 * features, 0 * features)]
    torch.testing.assert_close(halves[0] + halves[1] - halves[2], projected, atol=1e-5, rtol=1e-4)  # affine


def test_a_head_of_another_kind_is_differentiated_by_its_features(monkeypatch):
    network, images, targets = networks("CALM_ML")
    by_projections = interactions(network, images, targets)
    monkeypatch.setattr(network.head, "projections", lambda *_: None)
    by_features = interactions(network, images, targets)
    torch.testing.assert_close(by_projections, by_features, rtol=1e-8, atol=1e-18)
