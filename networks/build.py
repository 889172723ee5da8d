"""Names and options -> a network."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from calm.errors import UserError
from calm.flags import names
from calm.networks.methods import build_head, canonical_method
from calm.networks.network import Network
from calm.networks.trunks import canonical_architecture, trunk_named
from calm.networks.trunks.initialise import initialise
from calm.networks.trunks.options import TrunkOptions
from calm.networks.weights import load_imagenet_weights

BUILDING = (*names(role="network", stated=True), "crop_size")
"""The flags that describe a network."""


def network_of(flags: Mapping[str, Any], num_classes: int, **options: Any) -> Network:
    """``build_network`` with those of ``flags`` that describe a network, and further options."""
    described = {name: flags[name] for name in BUILDING if flags.get(name) is not None}
    architecture, method = described.pop("architecture"), described.pop("attribution_method")
    return build_network(architecture, method, num_classes, **described, **options)


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
    head_dropout: float = 0.0,
    crop_size: int | None = None,
    pretrained: bool = False,
    pretrained_path: str | Path | None = None,
    pretrained_classifier: bool = False,
    **head_options: Any,
) -> Network:
    """A network with new branches, in training mode, on the CPU; first weights come from torch's global generator.

    Args:
        architecture: a key of ``TRUNKS``, ``timm:NAME`` or ``torchvision:NAME``.
        method: a key of ``METHODS``.
        num_classes: K.
        large_feature_map: features at stride 8 instead of 16.
        use_bn: batch norm in vgg16 and in inception_v3's last blocks.
        prior_activation: "softplus" (paper) or "relu" (released weights).
        detach_prior_sum: no gradient through the prior's normaliser (released weights).
        inception_tap: "mixed_6e", or "mixed_6d" (released weights).
        head_dropout: of inception_v3, in training: before each of its last three convolutions, the classes' included.
        crop_size: side of the images in pixels, for trunks that are made for one size; None for the trunk's own.
        pretrained: fill the trunk with ImageNet weights.
        pretrained_path: take them from this file, not from the trunk's usual source.
        pretrained_classifier: take their classifier too, as the start of ``conv_last``.
        head_options: further options of heads, each of which takes those it knows.

    Raises:
        UserError: for an unknown name, or weights that cannot be had or do not fit.
    """
    if num_classes < 1:
        raise UserError(f"a network needs at least one class, not {num_classes}")
    architecture, method = canonical_architecture(architecture), canonical_method(method)
    head_options |= {"prior_activation": prior_activation, "detach_prior_sum": detach_prior_sum}
    head = build_head(method, head_options)
    trunk = trunk_named(architecture)
    if head_dropout and not trunk.takes_head_dropout:
        raise UserError(f"`head_dropout`={head_dropout}: {architecture} has no dropout, inception_v3 has")
    trunk_options = TrunkOptions(
        large_feature_map=large_feature_map,
        use_bn=use_bn,
        inception_tap=inception_tap,
        head_dropout=head_dropout,
        image_size=crop_size,
        layout=head.trunk_layout,
    )
    network = trunk(trunk_options)
    network.architecture, network.method = architecture, method
    network.add_head(head, num_classes)
    for layer in network.head_layers:
        initialise(network.get_submodule(layer), network.draw_weight)
    head.begin(network)
    if pretrained:
        load_imagenet_weights(network, path=pretrained_path, with_classifier=pretrained_classifier)
    return network
