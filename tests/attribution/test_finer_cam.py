import pytest
import torch

from calm.attribution.finer_cam import class_weights, finercam, similar_by_scores, similar_by_weights
from calm.attribution.layer_cam import gradcam, layercam
from calm.errors import UserError
from tests.tiny_networks import tiny_batch, tiny_network

METHODS = ["CAM", "CALM_ML"]


def rivals_of(scores, target, number):
    others = [k for k in range(len(scores)) if k != target]
    return sorted(others, key=lambda k: abs(scores[k] - scores[target]))[:number]


def difference(scores, target, gamma, number):
    rivals = rivals_of(scores.tolist(), target, number)
    return scores[target] - gamma * sum(scores[k] for k in rivals) / number


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("base", ["gradcam", "layercam"])
def test_gradient_bases_by_their_definitions(method, base):
    network, (images, targets) = tiny_network(method).double(), tiny_batch(3)
    images = images.double()
    maps = finercam(network, images, targets, finercam_base=base, finercam_gamma=0.7, finercam_classes=2)
    for b in range(3):
        features = network.features(images[b : b + 1]).detach().requires_grad_(True)
        score = difference(network.read_out(features).class_scores[0], targets[b].item(), 0.7, 2)
        (g,) = torch.autograd.grad(score, features)
        g = g.mean(dim=(2, 3), keepdim=True) if base == "gradcam" else g.clamp_min(0)
        torch.testing.assert_close(maps[b], (g * features).sum(dim=1)[0].clamp_min(0).detach())


@pytest.mark.parametrize("method", METHODS)
def test_cam_base_is_the_difference_of_class_maps(method):
    network, (images, targets) = tiny_network(method), tiny_batch(3)
    output = network(images)
    maps = finercam(network, images, targets, finercam_base="cam")
    class_maps = output.class_maps if method == "CAM" else output.class_logits
    for b in range(3):
        rivals = rivals_of(output.class_scores[b].tolist(), targets[b].item(), 3)
        expected = class_maps[b, targets[b]] - 0.6 * sum(class_maps[b, k] for k in rivals) / 3
        torch.testing.assert_close(maps[b], expected.detach())


def test_without_comparison_it_is_the_base_map():
    network, (images, targets) = tiny_network("CALM_ML"), tiny_batch(2)
    for base, function in (("gradcam", gradcam), ("layercam", layercam)):
        maps = finercam(network, images, targets, finercam_base=base, finercam_gamma=0.0)
        torch.testing.assert_close(maps, function(network, images, targets))


def test_versus_names_the_rival():
    network, (images, targets) = tiny_network("CAM"), tiny_batch(2)
    maps = finercam(network, images, targets, finercam_base="cam", finercam_gamma=1.0, versus=4)
    output = network(images)
    expected = output.class_maps[torch.arange(2), targets] - output.class_maps[:, 4]
    torch.testing.assert_close(maps, expected.detach())
    swapped = finercam(network, images, torch.tensor([4, 4]), finercam_base="cam", finercam_gamma=1.0, versus=targets)
    torch.testing.assert_close(swapped, -maps)


def test_similar_classes():
    scores = torch.tensor([[1.0, 5.0, 1.5, 0.9, -3.0], [0.0, 1.0, 2.0, 4.0, 8.0]])
    assert similar_by_scores(scores, torch.tensor([0, 4]), 2).tolist() == [[3, 2], [3, 2]]
    weights = torch.tensor([[1.0, 0.0], [2.0, 0.1], [0.1, 1.0], [-1.0, 0.0]])[:, :, None, None]
    assert similar_by_weights(weights, torch.tensor([0, 2]), 3).tolist() == [[1, 2, 3], [1, 0, 3]]


def test_classes_with_similar_weights_are_the_same_under_autocast():
    rows = torch.ones(20, 16) + 0.05 * torch.randn(20, 16, generator=torch.Generator().manual_seed(0))
    cosines = torch.stack([(rows * row).sum(dim=1) / rows.norm(dim=1) / row.norm() for row in rows.double()])
    wanted = (cosines - 2 * torch.eye(20)).argsort(dim=1, descending=True)[:, :3]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = similar_by_weights(rows[:, :, None, None], torch.arange(20), 3)
    assert torch.equal(found.sort(dim=1).values, wanted.sort(dim=1).values)


def test_no_more_rivals_than_there_are():
    assert similar_by_scores(torch.tensor([[1.0, 3.0, 2.0]]), torch.tensor([0]), 9).tolist() == [[2, 1]]


def test_weights_add_up():
    weights = class_weights(torch.zeros(2, 5), torch.tensor([0, 3]), torch.tensor([[1, 2], [3, 4]]), 0.5)
    expected = torch.tensor([[1.0, -0.25, -0.25, 0, 0], [0, 0, 0, 0.75, -0.25]])
    torch.testing.assert_close(weights, expected)


def test_wrong_options():
    network, (images, targets) = tiny_network("CAM"), tiny_batch(1)
    for options, words in [
        ({"finercam_base": "scorecam"}, "`finercam_base` 'scorecam' is unknown: choose cam, gradcam, layercam"),
        ({"finercam_similar": "names"}, "`finercam_similar` 'names' is unknown"),
        ({"finercam_classes": 0}, "`finercam_classes`=0 should be at least 1"),
    ]:
        with pytest.raises(UserError, match=words):
            finercam(network, images, targets, **options)
