"""From the name of an attribution and its options to a function that makes its maps."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor

from calm.attribution.catalogue import ATTRIBUTIONS, canonical_name
from calm.attribution.class_score import evaluating
from calm.errors import UserError
from calm.networks.network import Network


def build_attribution(name: str, **options: Any) -> Callable[[Network, Tensor, Tensor], Tensor]:
    """The attribution ``name`` with its options bound: (module, images, targets) -> raw maps, detached.

    The module runs in eval mode and is left as it was: modes, gradients and hooks, also after an exception.

    Args:
        name: ours or the published code's.
        options: of any attribution; each takes those it knows, so one set serves a list of names. ``supersets``
            ({class: [classes]}; subset maps), ``versus`` (int or [B]; counterfactual), and the keyword-only parameters
            of the functions in ``attribution.gradient`` and ``attribution.cam_family``.
    """
    name = canonical_name(name)
    function, reads = _bound(name, options), ATTRIBUTIONS[name].reads

    def attribute(module: Network, images: Tensor, targets: Tensor) -> Tensor:
        with evaluating(module), torch.no_grad():
            if reads == "output":
                return function(module(images), targets)
            return function(module, images, targets).detach()

    return attribute


def output_attribution(name: str, **options: Any) -> Callable[..., Tensor] | None:
    """As ``build_attribution``, but (output, targets) -> maps; None for a name that one output does not suffice for."""
    name = canonical_name(name)
    function = _bound(name, options)
    return function if ATTRIBUTIONS[name].reads == "output" else None


def options_of(name: str) -> set[str]:
    """The options that the attribution ``name`` takes; no other can change its maps."""
    return set(ATTRIBUTIONS[canonical_name(name)].options)


def _bound(name: str, options: Mapping[str, Any]) -> Callable[..., Tensor]:
    """The function of ``name`` with those of ``options`` that it takes; None counts as not given."""
    wanted = ATTRIBUTIONS[name].options
    known = {option for attribution in ATTRIBUTIONS.values() for option in attribution.options}
    if unknown := sorted(set(options) - known):
        takes = ", ".join(wanted) or "no option"
        raise UserError(f"unknown option {unknown[0]!r}: the attribution {name} takes {takes}")
    given = {option: options[option] for option in wanted if options.get(option) is not None}
    for option, parameter in wanted.items():
        if parameter.default is parameter.empty and option not in given:
            raise UserError(f"the attribution {name} needs the option {option!r}")
    return partial(ATTRIBUTIONS[name].function, **given)
