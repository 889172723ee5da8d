"""One pass of the trunk serves all who read a batch's features, and nobody else's."""

import pytest
import torch

from calm.attribution import build_attribution
from calm.engine import predict
from calm.networks.shared_features import features_of, features_shared
from tests.tiny_networks import tiny_network


def counted(network) -> list[int]:
    """Sizes of the batches that go through the trunk from now on."""
    seen, features = [], network.features

    def look(images: torch.Tensor) -> torch.Tensor:
        seen.append(len(images))
        return features(images)

    network.features = look
    return seen


@pytest.mark.parametrize("name", ["gradcam", "gradcam++", "layercam", "ablationcam", "finercam"])
def test_a_map_of_the_last_features_costs_no_second_pass_and_keeps_its_bits(name):
    network = tiny_network("CALM_EM")
    images, targets = torch.randn(3, 3, 8, 8), torch.tensor([0, 1, 4])
    attribution = build_attribution(name)
    alone = attribution(network, images, targets)
    seen = counted(network)
    for batch in predict(network, [(images, targets, targets)], device=torch.device("cpu")):
        assert torch.equal(attribution(network, batch.images, batch.targets), alone)
    assert seen == [3]


def test_other_images_and_other_trunks_have_features_of_their_own():
    network, other, images = tiny_network("CAM"), tiny_network("CAM", seed=1), torch.randn(2, 3, 8, 8)
    with features_shared(), torch.no_grad():
        kept = features_of(network, images)
        assert features_of(network, images) is kept
        assert not torch.equal(features_of(network, images.flip(0)), kept)
        assert torch.equal(features_of(other, images), other.features(images))
        with torch.enable_grad():
            assert features_of(network, images).requires_grad
    with torch.no_grad():
        assert features_of(network, images) is not kept
