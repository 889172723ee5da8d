"""Names and options -> a network."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from calm.errors import UserError
from calm.networks.heads import PRIOR_ACTIVATIONS
from calm.networks.losses import METHODS
from calm.networks.network import Network
from calm.networks.trunks.inception import InceptionV3
from calm.networks.trunks.initialise import initialise
from calm.networks.trunks.options import TrunkOptions
from calm.networks.trunks.resnet import resnet18, resnet50
from calm.networks.trunks.timm_trunk import EfficientNetLite0, TimmTrunk
from calm.networks.trunks.vgg import Vgg16
from calm.networks.weights import load_imagenet_weights

ARCHITECTURES: dict[str, Callable[[TrunkOptions], Network]] = {
    "resnet50": resnet50,
    "vgg16": Vgg16,
    "inception_v3": InceptionV3,
    "resnet18": resnet18,
    "efficientnet_lite0": EfficientNetLite0,
}
"""Architecture -> trunk; beside them ``timm:NAME`` takes any CNN of timm."""


def canonical_architecture(name: str) -> str:
    """Our spelling of an architecture's name: lower case, underscores."""
    canonical = name.strip() if name.startswith("timm:") else name.strip().lower().replace("-", "_")
    if canonical not in ARCHITECTURES and not canonical.startswith("timm:"):
        raise UserError(f"--architecture {name!r} is unknown: choose {', '.join(ARCHITECTURES)} or timm:NAME")
    return canonical


def canonical_method(name: str) -> str:
    """Our spelling of a training method's name: upper case, underscores."""
    canonical = name.strip().upper().replace("-", "_")
    if canonical not in METHODS:
        raise UserError(f"--attribution_method {name!r} is unknown: choose {', '.join(METHODS)}")
    return canonical


def build_network(
    architecture: str,
    method: str,
    num_classes: int,
    *,
    large_feature_map: bool = False,
    use_bn: bool = False,
    prior_activation: str = "softplus",
    detach_prior_sum: bool = False,
    inception_tap: str = "mixed_6e",
    pretrained: bool = False,
    pretrained_path: str | Path | None = None,
) -> Network:
    """A network with new branches, in training mode, on the CPU; first weights come from torch's global generator.

    Args:
        architecture: a key of ``ARCHITECTURES`` or ``timm:NAME``.
        method: "CAM", "CALM_ML" or "CALM_EM".
        num_classes: K.
        large_feature_map: features at stride 8 instead of 16.
        use_bn: batch norm in vgg16 and in inception_v3's last blocks.
        prior_activation: "softplus" (paper) or "relu" (released weights).
        detach_prior_sum: no gradient through the prior's normaliser (released weights).
        inception_tap: "mixed_6e", or "mixed_6d" (released weights).
        pretrained: fill the trunk with ImageNet weights.
        pretrained_path: take them from this file, not from the network's usual source.

    Raises:
        UserError: for an unknown name, or weights that cannot be had or do not fit.
    """
    if prior_activation not in PRIOR_ACTIVATIONS:
        raise UserError(f"--prior_activation {prior_activation!r} is unknown: choose {', '.join(PRIOR_ACTIVATIONS)}")
    if num_classes < 1:
        raise UserError(f"a network needs at least one class, not {num_classes}")
    architecture, method = canonical_architecture(architecture), canonical_method(method)
    options = TrunkOptions(large_feature_map=large_feature_map, use_bn=use_bn, inception_tap=inception_tap)
    network = make_trunk(architecture)(options)
    network.architecture = architecture
    network.add_branches(
        network.channels, num_classes, method, prior_activation=prior_activation, detach_prior_sum=detach_prior_sum
    )
    initialise(network.conv_last, network.draw_weight)
    initialise(network.attention, network.draw_weight)
    if pretrained:
        load_imagenet_weights(network, path=pretrained_path)
    return network


def make_trunk(architecture: str) -> Callable[[TrunkOptions], Network]:
    """The trunk's constructor for a canonical name."""
    if architecture.startswith("timm:"):
        return partial(TimmTrunk, timm_name=architecture.removeprefix("timm:"))
    return ARCHITECTURES[architecture]
