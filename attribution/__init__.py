"""Attributions: (module, images [B,3,H,W], targets [B]) -> raw maps [B,h,w] or [B,H,W].

``build_attribution`` gives them by name. Those that are functions of one forward pass's output also come as
``output_attribution``: (output, targets) -> maps, so that one pass serves many classes. A raw map has its own grid
and unit and may be signed; ``attribution.score_map`` makes it a score map in [0,1].

The names are imported when they are asked for, so that a module of this folder can be had without the others.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from calm.attribution.build import build_attribution, options_of, output_attribution
    from calm.attribution.catalogue import ATTRIBUTIONS, canonical_name
    from calm.attribution.record import Attribution

__all__ = ["ATTRIBUTIONS", "Attribution", "build_attribution", "canonical_name", "options_of", "output_attribution"]
_HOMES = {
    "ATTRIBUTIONS": "catalogue",
    "Attribution": "record",
    "build_attribution": "build",
    "canonical_name": "catalogue",
    "options_of": "build",
    "output_attribution": "build",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"calm.attribution.{_HOMES[name]}"), name)
