"""Untrained heads on a trunk that runs once."""

import pytest
import torch

from calm.engine import predict
from calm.evaluation.untrained import with_untrained_heads
from tests.tiny_networks import tiny_network


@pytest.mark.parametrize("method", ["CAM", "CALM_EM"])
def test_untrained_heads_read_the_features_of_the_one_pass(method):
    network, images = tiny_network(method), torch.randn(3, 3, 8, 8)
    fresh, seen = with_untrained_heads(network), []
    network.conv2.register_forward_hook(lambda *_: seen.append(1))
    head = {name.split(".")[0] for name, own in fresh.named_parameters() if own is not network.get_parameter(name)}
    assert head == set(network.head_layers)
    with torch.no_grad():
        alone, own = fresh(images), network(images)
    assert not torch.equal(alone.class_maps, own.class_maps)
    seen.clear()
    for batch in predict(network, [(images, torch.arange(3), torch.arange(3))], device=torch.device("cpu")):
        with torch.inference_mode():
            again = fresh(batch.images)
        assert all(torch.equal(one, other) for one, other in zip(again, alone))
        assert all(torch.equal(one, other) for one, other in zip(batch.output, own))
    assert len(seen) == 1
