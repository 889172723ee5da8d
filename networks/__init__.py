"""Networks: build one by name, or load one from a checkpoint.

The names are imported when they are asked for, so that listing the zoo needs no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from calm.networks.build import build_network
    from calm.networks.checkpoint import load_network
    from calm.networks.methods import METHODS
    from calm.networks.trunks import TRUNKS

__all__ = ["METHODS", "TRUNKS", "build_network", "load_network"]
_HOMES = {"METHODS": "methods", "TRUNKS": "trunks", "build_network": "build", "load_network": "checkpoint"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"calm.networks.{_HOMES[name]}"), name)
