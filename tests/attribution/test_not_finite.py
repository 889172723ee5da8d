"""A network whose outputs are not finite is refused by every attribution, and nothing else is."""

import pytest
import torch

from calm import library
from calm.attribution import ATTRIBUTIONS
from calm.attribution.several_classes import maps_of_several
from calm.engine import predict
from calm.errors import UserError
from calm.evaluation.cue_location.maps import _name_of_first
from calm.networks.outputs import NotFinite
from tests.tiny_networks import tiny_batch, tiny_network

OPTIONS = {"versus": 1, "supersets": {y: [y] for y in range(5)}, "smooth_grad_nr_iter": 2, "integrated_grad_nr_iter": 2}
NAMES = [*ATTRIBUTIONS, "torchcam:GradCAM", "captum:LayerGradientXActivation"]


def attribute(name, network, images, targets):
    return library.attribute(name, network, images, targets, **OPTIONS)


@pytest.mark.parametrize("name", NAMES)
def test_every_attribution_refuses_it(name):
    method = (ATTRIBUTIONS[name].needs_methods or ("CALM_EM",))[0]
    network, (images, targets) = tiny_network(method), tiny_batch(2)
    finite = attribute(name, network, images, targets)
    assert finite.isfinite().all()
    with torch.no_grad():
        network.conv2.weight[0, 0, 0, 0] = float("nan")
    with pytest.raises(NotFinite, match="of the batch: the network's"):
        attribute(name, network, images, targets)


@pytest.mark.parametrize("name", ["joint", "gradient", "scorecam"])
def test_the_second_image_of_a_batch_is_named(name):
    network, (images, _) = tiny_network("CALM_EM"), tiny_batch(3)
    images[1, 0, 5, 5] = float("nan")
    with pytest.raises(NotFinite):
        maps_of_several(name)(network, images, [[0, 1]] * 3)
    with pytest.raises(NotFinite, match=r"^b\.jpg: the network's class_logits are not finite"):
        _name_of_first(network, images, ["a.jpg", "b.jpg", "c.jpg"].__getitem__)


def test_training_is_left_to_the_loss():
    network, (images, _) = tiny_network("CAM"), tiny_batch(2)
    with torch.no_grad():
        network.conv_last.bias[0] = float("inf")
    assert network.train()(images).class_maps.isinf().any()
    with pytest.raises(UserError, match="class_maps are not finite"):
        network.eval()(images)


def test_predictions_of_a_compiled_network_are_looked_at():
    network, (images, targets) = tiny_network("CALM_EM"), tiny_batch(2)
    network.compile(backend="eager", fullgraph=True)
    batches = [(images, targets, torch.arange(2))]
    [_] = predict(network, batches, device=images.device)
    with torch.no_grad():
        network.conv2.weight[0, 0, 0, 0] = float("nan")
    with pytest.raises(NotFinite, match=r"^image 0: the network's"):
        list(predict(network, batches, device=images.device))
