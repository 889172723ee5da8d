"""From the name of an attribution and its options to a function that makes its maps."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from calm.attribution.catalogue import ATTRIBUTIONS, canonical_name
from calm.attribution.class_score import evaluating
from calm.attribution.layer_cam import layer_names
from calm.attribution.plain_module import LogitsOutput, PlainModule
from calm.errors import UserError
from calm.flags import checked
from calm.networks.network import Network

NO_MAPS = (
    "the attribution {name} reads the class maps of a CAM or CALM network, and `network` gives logits alone: choose "
    "gradient, gradcam or another that reads images; a stock classifier becomes a CAM network by calm.load"
)


def build_attribution(name: str, **options: Any) -> Callable[[nn.Module, Tensor, Tensor], Tensor]:
    """The attribution ``name`` with its options bound: (module, images, targets) -> raw maps, detached.

    The module runs in eval mode and is left as it was: modes, gradients and hooks, also after an exception.

    Args:
        name: ours or the published code's.
        options: of any attribution; each takes those it knows, so one set serves a list of names. ``supersets``
            ({class: [classes]}; subset maps), ``versus`` (int or [B]; counterfactual), and the keyword-only parameters
            of the functions in ``attribution.gradient`` and ``attribution.cam_family``. Of a module that is no
            network of ours and gives logits, ``layers`` names the features that the CAM family reads, by default the
            last map; of one layer it counts for every attribution.

    Raises:
        UserError: an unknown name or option, one that is missing, or a value that the option does not take.
    """
    name = canonical_name(name)
    record = ATTRIBUTIONS[name]
    options = _checked(name, options)
    function = _bound(name, options)

    def attribute(module: Any, images: Tensor, targets: Tensor) -> Tensor:
        with evaluating(module), torch.no_grad():
            if not isinstance(module, Network) and not hasattr(module, "read_out"):
                versus = torch.as_tensor(0 if options.get("versus") is None else options["versus"])
                highest = max(int(targets.max()), int(versus.max()))
                module = PlainModule(module, _only_layer(options.get("layers")), highest_class=highest)
            if record.reads == "output":
                output = module(images)
                if isinstance(output, LogitsOutput):
                    raise UserError(NO_MAPS.format(name=name))
                return function(output, targets)
            if isinstance(module, PlainModule) and record.needs_methods:
                raise UserError(NO_MAPS.format(name=name))
            return function(module, images, targets).detach()

    return attribute


def _only_layer(layers: Any) -> str | None:
    """The layer that stands for a plain module's last features: the last of those named."""
    names = layer_names(layers or ())
    return names[-1] if names else None


def output_attribution(name: str, **options: Any) -> Callable[..., Tensor] | None:
    """As ``build_attribution``, but (output, targets) -> maps; None for a name that one output does not suffice for."""
    name = canonical_name(name)
    function = _bound(name, _checked(name, options))
    return function if ATTRIBUTIONS[name].reads == "output" else None


def options_of(name: str) -> set[str]:
    """The options that the attribution ``name`` takes; no other can change its maps."""
    return set(ATTRIBUTIONS[canonical_name(name)].options)


def _bound(name: str, options: Mapping[str, Any]) -> Callable[..., Tensor]:
    """The function of ``name`` with those of ``options`` that it takes."""
    wanted = ATTRIBUTIONS[name].options
    given = {option: options[option] for option in wanted if options.get(option) is not None}
    for option, parameter in wanted.items():
        if parameter.default is parameter.empty and option not in given:
            raise UserError(f"the attribution {name} needs the option {option!r}")
    return partial(ATTRIBUTIONS[name].function, **given)


def _checked(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Options of any attribution, each as the flag of its name takes it; None counts as not given.

    ``versus`` stays as it is: classes here, and a word as the flag.
    """
    known = {option for attribution in ATTRIBUTIONS.values() for option in attribution.options}
    if unknown := sorted(set(options) - known):
        takes = ", ".join(ATTRIBUTIONS[name].options) or "no option"
        raise UserError(f"unknown option {unknown[0]!r}: the attribution {name} takes {takes}")
    given = {option: value for option, value in options.items() if value is not None}
    if isinstance(given.get("layers"), (list, tuple)):
        given["layers"] = ",".join(map(str, given["layers"]))
    words = {option: value for option, value in given.items() if option != "versus"}
    return given | checked(words, f"the attribution {name}")
