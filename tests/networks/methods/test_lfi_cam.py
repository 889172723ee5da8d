import math

import torch
import torch.nn.functional as F

from calm.networks.methods.lfi_cam import attended, attention_map, importances, masked_greys, scaled_channels
from tests.expected_methods import form


def test_channels_cell_by_cell():
    features = form((2, 3, 3, 4), 0.9, 0.2)
    features[0, 1], features[1, 2] = 0.0, 0.7
    scaled = scaled_channels(features)
    for b in range(2):
        for k in range(3):
            low, high = features[b, k].min(), features[b, k].max()
            expected = (features[b, k] - low) / (high - low) if high > low else torch.ones(3, 4) * float(high != 0)
            torch.testing.assert_close(scaled[b, k], expected.double())


def test_greys_are_the_resized_mean_colour_in_each_channel():
    features, images = form((1, 2, 3, 3), 0.9, 0.2), form((1, 3, 12, 12), 0.3, 0.1)
    grey = F.interpolate((images[:, 0] + images[:, 1] + images[:, 2])[:, None] / 3, (3, 3), mode="bilinear")[0, 0]
    for k in range(2):
        torch.testing.assert_close(masked_greys(features, images)[0, k], scaled_channels(features)[0, k] * grey)


def test_map_and_attention_from_their_definitions():
    features, responses = form((2, 4, 3, 3), 0.9, 0.2), form((2, 4, 3, 3), 0.4, 0.7).relu()
    weights = importances(responses)
    maps = attention_map(features, weights)
    for b in range(2):
        means = [math.exp(responses[b, k].mean()) for k in range(4)]
        total = sum(mean / sum(means) * features[b, k] for k, mean in enumerate(means)).clamp_min(0)
        expected = (total - total.min()) / (total.max() - total.min())
        torch.testing.assert_close(maps[b], expected)
        for k in range(4):
            torch.testing.assert_close(attended(features, maps)[b, k], features[b, k] * (1 + expected))


def test_a_constant_map_is_left_as_it_is():
    features, weights = torch.full((1, 2, 3, 3), 0.4), torch.tensor([[0.5, 0.5]])
    assert torch.allclose(attention_map(features, weights), torch.tensor(0.4))
    assert not attention_map(-features, weights).any()


def test_gradient_by_finite_differences():
    features, images = (form((2, 3, 3, 3), 0.9, 0.2) + 0.5).requires_grad_(True), form((2, 3, 6, 6), 0.3, 0.1)

    def logits(features):
        weights = importances(masked_greys(features, images).relu())
        return attended(features, attention_map(features, weights)).mean(dim=(2, 3))

    assert torch.autograd.gradcheck(logits, (features,))
