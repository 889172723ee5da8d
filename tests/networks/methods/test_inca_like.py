import copy
import math

import pytest
import torch

from calm.errors import UserError
from calm.networks import build_network
from calm.networks.methods import build_objective
from calm.networks.methods.inca_like import Regions, attention_of, consistency_loss, contrastive_loss
from calm.networks.methods.non_local import NonLocalBlock
from tests.expected_methods import form
from tests.tiny_networks import tiny_batch, tiny_network

REGIONS = Regions(background=0.3, foreground=0.45, drop=0.8)


def slow_attention(features):
    """[C,h,w] -> rows of numbers in [0,1]."""
    channels, height, width = features.shape
    mean = [
        [sum(float(features[k, i, j]) for k in range(channels)) / channels for j in range(width)] for i in range(height)
    ]
    low, high = min(map(min, mean)), max(map(max, mean))
    return [[(value - low) / (high - low) for value in row] for row in mean]


def slow_feature(features, cells):
    mean = [sum(float(features[k, i, j]) for i, j in cells) / len(cells) for k in range(len(features))]
    length = math.sqrt(sum(value**2 for value in mean))
    return [value / length for value in mean]


def slow_contrast(features, margin):
    """Of one image [C,h,w]."""
    attention = slow_attention(features)
    cells = [(i, j) for i in range(features.shape[1]) for j in range(features.shape[2])]
    everything = [cell for cell in cells if attention[cell[0]][cell[1]] > 0.45]
    kept = [cell for cell in everything if not attention[cell[0]][cell[1]] > 0.8]
    rest = [cell for cell in cells if attention[cell[0]][cell[1]] < 0.3]
    z = [slow_feature(features, some) for some in (everything, kept, rest)]
    near, far = (sum((a - b) ** 2 for a, b in zip(z[1], z[other])) for other in (0, 2))
    return max(0.0, near - far + margin)


def test_contrastive_loss_cell_by_cell():
    features = form((3, 4, 4, 5), 0.9, 0.2)
    expected = sum(slow_contrast(image, 3.0) for image in features) / 3
    assert expected > 0
    assert float(contrastive_loss(features, REGIONS, 3.0)) == pytest.approx(expected, rel=1e-9)


def test_consistency_loss_cell_by_cell():
    early, late = form((2, 4, 4), 0.7, 0.1).abs(), form((2, 2, 2), 1.3, 0.4).abs()
    total, count = 0.0, 0
    for b in range(2):
        for i in range(4):
            for j in range(4):
                rows, columns = ([(p - 0.5) / 2 for p in (i, j)][axis] for axis in (0, 1))
                row, column = (min(max(p, 0.0), 1.0) for p in (rows, columns))
                a = late[b, 0, 0] * (1 - column) + late[b, 0, 1] * column
                c = late[b, 1, 0] * (1 - column) + late[b, 1, 1] * column
                reference = float(a * (1 - row) + c * row)
                if reference > 0.45:
                    total, count = total + (float(early[b, i, j]) - reference) ** 2, count + 1
    assert 0 < count < 32
    assert float(consistency_loss(early, late, REGIONS)) == pytest.approx(total / count, rel=1e-9)


def test_an_image_without_a_region_counts_as_zero():
    constant, features = torch.full((1, 4, 4, 5), 0.7).double(), form((1, 4, 4, 5), 0.9, 0.2)
    alone = contrastive_loss(features, REGIONS, 3.0)
    assert not contrastive_loss(constant, REGIONS, 3.0)
    torch.testing.assert_close(contrastive_loss(torch.cat([constant, features]), REGIONS, 3.0), alone / 2)
    assert not consistency_loss(attention_of(features), torch.zeros(1, 2, 2).double(), REGIONS)


def test_gradients_by_finite_differences_and_none_for_the_reference():
    features = form((2, 3, 3, 3), 0.9, 0.2).requires_grad_(True)
    assert torch.autograd.gradcheck(lambda x: contrastive_loss(x, REGIONS, 3.0), (features,))
    late = form((2, 2, 2), 1.3, 0.4).abs().requires_grad_(True)
    assert torch.autograd.gradcheck(lambda x: consistency_loss(attention_of(x), late.detach(), REGIONS), (features,))
    consistency_loss(attention_of(features), late, REGIONS).backward()
    assert late.grad is None


def test_non_local_block_from_its_definition():
    torch.manual_seed(0)
    block, features = NonLocalBlock(4).double(), form((1, 4, 2, 3), 0.9, 0.2)
    assert torch.equal(block(features), features)  # begins as the identity
    torch.nn.init.normal_(block.out.weight)
    theta, phi, g = (layer(features)[0].flatten(1) for layer in (block.theta, block.phi, block.g))
    expected = features[0].flatten(1).clone()
    for i in range(6):
        weights = [math.exp((theta[:, i] @ phi[:, j]).item()) for j in range(6)]
        seen = sum(weight / sum(weights) * g[:, j] for j, weight in enumerate(weights))
        expected[:, i] += block.out.weight[:, :, 0, 0] @ seen
    torch.testing.assert_close(block(features)[0].flatten(1), expected)


def test_the_network_starts_as_cam_and_its_loss_is_the_sum_of_the_parts():
    torch.manual_seed(0)
    network = build_network("resnet18", "InCA_like", 3).eval()
    plain = build_network("resnet18", "CAM", 3).eval()
    plain.load_state_dict(network.state_dict(), strict=False)
    images, targets = torch.randn(2, 3, 64, 64), torch.tensor([0, 2])
    assert torch.equal(network(images).class_maps, plain(images).class_maps)
    assert sum(name.startswith("inca_") for name in network.state_dict()) == 3 * 8

    network, (images, targets) = tiny_network("InCA_like").train(), tiny_batch(4)
    alone = copy.deepcopy(network)
    loss = build_objective("InCA_like", network, {"inca_margin": 0.5})(network, images, targets)
    assert not network.head.seen  # features of the last step are not kept
    regions, output = Regions(), alone(images)
    cam = torch.nn.functional.cross_entropy(output.class_maps.mean(dim=(2, 3)), targets)
    contrast = sum(contrastive_loss(place, regions, 0.5) for place in output.places) / 2
    early, late = map(attention_of, output.places)
    torch.testing.assert_close(loss, cam + contrast + consistency_loss(early, late, regions))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"inca_drop": 1.2}, "`inca_drop`=1.2"),
        ({"inca_foreground": 0.9}, "`inca_foreground`=0.9 and"),
        ({"inca_margin": -1.0}, "`inca_margin`=-1.0"),
    ],
)
def test_bad_limits(options, words):
    with pytest.raises(UserError, match=words):
        build_objective("InCA_like", tiny_network("InCA_like"), options)
