"""Attributions: (module, images [B,3,H,W], targets [B]) -> raw maps [B,h,w] or [B,H,W].

``build_attribution`` gives them by name. Those that are functions of one forward pass's output also come as
``output_attribution``: (output, targets) -> maps, so that one pass serves many classes. A raw map has its own grid
and unit and may be signed; ``attribution.score_map`` makes it a score map in [0,1].
"""

import inspect
from collections.abc import Callable
from difflib import get_close_matches
from functools import partial

import torch
from torch import Tensor, nn

from calm.attribution import cam, gradient, latent
from calm.attribution import cam_family as library
from calm.attribution.class_score import evaluating
from calm.errors import UserError

OUTPUT_MAPS: dict[str, Callable[..., Tensor]] = {**latent.MAPS, **cam.MAPS}
"""name -> (output, targets, *, options) -> maps."""
IMAGE_MAPS: dict[str, Callable[..., Tensor]] = {**gradient.MAPS, **library.MAPS}
"""name -> (module in eval mode, images, targets, *, options) -> maps."""
ATTRIBUTIONS = {**OUTPUT_MAPS, **IMAGE_MAPS}
PRIOR_MAPS = frozenset(latent.MAPS)
"""Names that need CALM's prior p(z|x)."""
GRADIENT_MAPS = frozenset(gradient.MAPS)
"""Names whose maps are at the image's size and may be blurred before they are normalised."""

RELEASED_NAMES = {
    "jointll": "joint",
    "gtcond": "posterior",
    "jointll-superclass": "subset",
    "jointll-superclass-mean": "subset-mean",
    "gtcond-superclass": "posterior-subset",
    "gtcond-superclass-mean": "posterior-subset-mean",
    "vanilla": "cam",
    "vanilla-saliency": "cam-saliency",
    "vanilla-superclass": "cam-subset",
    "input_grad": "gradient",
    "backprop": "gradient",
    "integrated_grad": "integrated_gradients",
    "smooth_grad": "smoothgrad",
    "var_grad": "vargrad",
}
"""The published code's name -> ours."""


def canonical_name(name: str) -> str:
    """Our name for ``name``, which may be the published code's."""
    ours = RELEASED_NAMES.get(name, name)
    if ours in ATTRIBUTIONS:
        return ours
    nearest = get_close_matches(name, [*ATTRIBUTIONS, *RELEASED_NAMES], n=1)
    hint = f" (did you mean {nearest[0]}?)" if nearest else ""
    raise UserError(f"unknown attribution {name!r}{hint}: choose from {', '.join(ATTRIBUTIONS)}")


def default_attribution(method: str) -> str:
    """The attribution that comes with a method, "CAM", "CALM_ML" or "CALM_EM": its class map, CALM's joint."""
    return "cam" if method == "CAM" else "joint"


def resolve_name(score_map_process: str | None, score_map_method: str, method: str) -> str:
    """Our name of the attribution that three flags ask for.

    Args:
        score_map_process: a name of an attribution; None takes ``default_attribution``.
        score_map_method: "activation_map", or "backprop", which turns cam into gradient and allows no other map.
            Gradient maps have the same meaning under both.
        method: how the network was trained, "CAM", "CALM_ML" or "CALM_EM".
    """
    name = canonical_name(score_map_process) if score_map_process else default_attribution(method)
    if score_map_method not in ("activation_map", "backprop"):
        raise UserError(f"unknown --score_map_method {score_map_method!r}: choose activation_map or backprop")
    if score_map_method == "backprop" and name not in GRADIENT_MAPS:
        if score_map_process and name != "cam":
            raise UserError(
                f"--score_map_method backprop does not go with --score_map_process {score_map_process}: "
                "use vanilla, or --score_map_method activation_map"
            )
        name = "gradient"
    if method == "CAM" and name in PRIOR_MAPS:
        raise UserError(
            f"--score_map_process {score_map_process} needs CALM's prior, which a CAM network does not have: "
            f"choose from {', '.join(other for other in ATTRIBUTIONS if other not in PRIOR_MAPS)}"
        )
    return name


def build_attribution(name: str, **options) -> Callable[[nn.Module, Tensor, Tensor], Tensor]:
    """The attribution ``name`` with its options bound: (module, images, targets) -> raw maps, detached.

    The module runs in eval mode and is left as it was: modes, gradients and hooks, also after an exception.

    Args:
        name: ours or the published code's.
        options: of any attribution; each takes those it knows, so one set serves a list of names. ``supersets``
            ({class: [classes]}; subset maps), ``versus`` (int or [B]; counterfactual), ``integrated_grad_nr_iter``,
            ``ig_variant``, ``smooth_grad_nr_iter``, ``smooth_grad_sigma``, ``noise``, ``seed`` and those of
            ``attribution.library``.
    """
    name = canonical_name(name)
    attribution = _bound(name, options)

    def attribute(module: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
        with evaluating(module), torch.no_grad():
            if name in OUTPUT_MAPS:
                return attribution(module(images), targets)
            return attribution(module, images, targets).detach()

    return attribute


def output_attribution(name: str, **options) -> Callable[..., Tensor] | None:
    """As ``build_attribution``, but (output, targets) -> maps; None for a name that one output does not suffice for."""
    name = canonical_name(name)
    attribution = _bound(name, options)
    return attribution if name in OUTPUT_MAPS else None


def _options(function: Callable) -> list[inspect.Parameter]:
    parameters = inspect.signature(function).parameters.values()
    return [parameter for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY]


def options_of(name: str) -> set[str]:
    """The options that the attribution ``name`` takes; no other can change its maps."""
    return {option.name for option in _options(ATTRIBUTIONS[canonical_name(name)])}


def _bound(name: str, options: dict) -> Callable[..., Tensor]:
    """The function of ``name`` with those of ``options`` that it takes; None counts as not given."""
    wanted = _options(ATTRIBUTIONS[name])
    known = {option.name for function in ATTRIBUTIONS.values() for option in _options(function)}
    if unknown := sorted(set(options) - known):
        takes = ", ".join(option.name for option in wanted) or "no option"
        raise UserError(f"unknown option {unknown[0]!r}: the attribution {name} takes {takes}")
    given = {option.name: options[option.name] for option in wanted if options.get(option.name) is not None}
    for option in wanted:
        if option.default is option.empty and option.name not in given:
            raise UserError(f"the attribution {name} needs the option {option.name!r}")
    return partial(ATTRIBUTIONS[name], **given)
