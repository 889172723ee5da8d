import pytest
import torch
import torch.nn.functional as F

from calm.attribution.perturbed_cam import ablation_weights, ablationcam, channel_masks, scorecam
from tests.tiny_networks import tiny_batch, tiny_network

METHODS = ["CAM", "CALM_ML"]


@pytest.mark.parametrize("method", METHODS)
def test_scorecam_channel_by_channel(method):
    network, (images, targets) = tiny_network(method), tiny_batch(2)
    maps = scorecam(network, images, targets)
    for image, target, map_ in zip(images, targets, maps):
        features = network.features(image[None]).detach()[0]
        rises = []
        for channel in features:
            mask = F.interpolate(channel[None, None], image.shape[1:], mode="bilinear", align_corners=False)[0, 0]
            mask = (mask - mask.min()) / (mask.max() - mask.min())
            blank = network(torch.zeros_like(image)[None]).class_scores[0, target]
            rises.append((network((image * mask)[None]).class_scores[0, target] - blank).detach())
        weights = torch.stack(rises).softmax(dim=0)
        expected = sum(weight * channel for weight, channel in zip(weights, features)).clamp_min(0)
        torch.testing.assert_close(map_, expected)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("divides", [False, True])
def test_ablationcam_channel_by_channel(method, divides):
    network, (images, targets) = tiny_network(method), tiny_batch(2)
    maps = ablationcam(network, images, targets, ablation_divides=divides)
    features = network.features(images).detach()
    for b in range(2):
        score = network.read_out(features[b : b + 1]).class_scores[0, targets[b]]
        total = torch.zeros_like(features[b, 0])
        for k in range(features.shape[1]):
            without = features[b : b + 1].clone()
            without[:, k] = 0
            fall = score - network.read_out(without).class_scores[0, targets[b]]
            total += (fall / score if divides else fall).detach() * features[b, k]
        torch.testing.assert_close(maps[b], total.clamp_min(0), rtol=1e-4, atol=1e-6)


def test_masks_are_stretched_after_they_are_enlarged():
    features = torch.tensor([[[[0.0, 1.0, 0.0]], [[2.0, 2.0, 2.0]]]])
    masks = channel_masks(features, (2, 4))
    assert masks.shape == (1, 2, 2, 4)
    assert masks[0, 0].min() == 0 and masks[0, 0].max() == 1  # bilinear to 4 never meets the peak of 1
    assert not masks[0, 1].any()


def test_a_zero_score_divides_nothing():
    weights = ablation_weights(torch.tensor([0.0, 2.0]), torch.tensor([[1.0], [1.0]]), ablation_divides=True)
    assert weights.tolist() == [[0.0], [0.5]]


@pytest.mark.parametrize("function", [scorecam, ablationcam])
def test_copies_per_pass_change_nothing(function):
    network, (images, targets) = tiny_network("CALM_ML", channels=7), tiny_batch(2)
    expected = function(network, images, targets)
    for copies in (1, 3, 100):
        torch.testing.assert_close(function(network, images, targets, eval_batch_size=copies), expected)
