"""Maps of several classes per image equal the maps of one class at a time."""

import pytest
import torch

from calm.attribution import build_attribution
from calm.attribution.several_classes import maps_of_several
from tests.tiny_networks import tiny_batch, tiny_network

CLASSES = [[4, 0], [2], [1, 2, 3]]


@pytest.mark.parametrize(
    ("method", "name", "options"),
    [
        ("CALM_EM", "jointll", {}),
        ("CALM_ML", "posterior", {}),
        ("CAM", "cam", {}),
        ("CAM", "input_grad", {}),
        ("CALM_EM", "gradcam", {}),
        ("CALM_EM", "subset", {"supersets": {y: [y, (y + 1) % 5] for y in range(5)}}),
    ],
)
def test_equals_one_class_at_a_time(method, name, options):
    network, (images, _) = tiny_network(method), tiny_batch()
    maps = maps_of_several(name, **options)(network, images, CLASSES)
    one = build_attribution(name, **options)
    expected = [
        one(network, images[row : row + 1], torch.tensor([label]))[0]
        for row, own in enumerate(CLASSES)
        for label in own
    ]
    assert maps.dtype == torch.float32 and torch.allclose(maps, torch.stack(expected), atol=1e-6)


def test_bf16_is_near():
    network, (images, _) = tiny_network("CALM_EM"), tiny_batch()
    maps = [maps_of_several("joint", precision=p)(network, images, CLASSES) for p in ("fp32", "bf16")]
    assert not torch.equal(*maps) and torch.allclose(*maps, rtol=0.1, atol=1e-3)


@pytest.mark.parametrize(("method", "name"), [("CAM", "finercam"), ("CALM_EM", "counterfactual")])
def test_each_class_may_be_compared_with_another(method, name):
    network, (images, _) = tiny_network(method), tiny_batch()
    asked = [[(4, 0), (0, 4)], [(2, 1)], [(1, 3)]]
    maps = maps_of_several(name)(network, images, asked)
    expected = [
        build_attribution(name, versus=other)(network, images[row : row + 1], torch.tensor([label]))[0]
        for row, own in enumerate(asked)
        for label, other in own
    ]
    assert torch.allclose(maps, torch.stack(expected), atol=1e-6)
