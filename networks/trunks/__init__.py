"""Trunks, one file a family: layers, input normalisation, ImageNet weight names, where a cell looks."""

from collections.abc import Callable

from calm.errors import UserError
from calm.networks.network import Network
from calm.networks.trunks.inception import InceptionV3
from calm.networks.trunks.lite0 import EfficientNetLite0
from calm.networks.trunks.resnet import ResNet18, ResNet50
from calm.networks.trunks.timm_trunk import trunk_of_timm
from calm.networks.trunks.torchvision_trunk import trunk_of_torchvision
from calm.networks.trunks.vgg import Vgg16

__all__ = ["FAMILIES", "TRUNKS", "canonical_architecture", "is_of_family", "trunk_named"]

TRUNKS: dict[str, type[Network]] = {
    "resnet50": ResNet50,
    "vgg16": Vgg16,
    "inception_v3": InceptionV3,
    "resnet18": ResNet18,
    "efficientnet_lite0": EfficientNetLite0,
}
"""Architecture -> trunk."""
FAMILIES: dict[str, Callable[[str], type[Network]]] = {
    "timm": trunk_of_timm,
    "torchvision": trunk_of_torchvision,
}
"""What stands before the colon of "timm:NAME" -> what makes a trunk of the name behind it."""


def canonical_architecture(name: str) -> str:
    """Our spelling of an architecture's name; case, and hyphens for underscores, do not matter before a colon."""
    family, colon, rest = name.strip().partition(":")
    known = {trunk.lower(): trunk for trunk in (*TRUNKS, *FAMILIES)}
    word = known.get(family.lower().replace("-", "_"))
    if word not in (FAMILIES if colon else TRUNKS):
        families = (f"{family}:NAME" for family in FAMILIES)
        raise UserError(f"`architecture` {name!r} is unknown: choose {', '.join(TRUNKS)} or {', '.join(families)}")
    return f"{word}{colon}{rest}"


def is_of_family(name: str) -> bool:
    """Whether a name begins with that of a family, as in "timm:NAME"."""
    family, colon, _ = name.partition(":")
    return bool(colon) and family in FAMILIES


def trunk_named(architecture: str) -> type[Network]:
    """The trunk of a canonical name."""
    family, colon, name = architecture.partition(":")
    return FAMILIES[family](name) if colon else TRUNKS[family]
