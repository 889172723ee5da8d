"""Every attribution by name, ours and the published code's."""

from difflib import get_close_matches

from calm.attribution.cam import CLASS_MAPS
from calm.attribution.cam_family import CAM_FAMILY
from calm.attribution.gradient import GRADIENTS
from calm.attribution.latent import LATENT_MAPS
from calm.attribution.libraries import LIBRARIES
from calm.attribution.own_maps import OWN_MAPS
from calm.attribution.record import Attribution
from calm.errors import UserError
from calm.networks import METHODS


class Catalogue(dict[str, Attribution]):
    """Name -> attribution: ours, which are listed, and the libraries' ("torchcam:NAME"), found when asked for."""

    def __missing__(self, name: str) -> Attribution:
        library, _, own = name.partition(":")
        if library not in LIBRARIES:
            raise KeyError(name)
        return Attribution(LIBRARIES[library](own), "images", "class map")

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or (isinstance(name, str) and name.partition(":")[0] in LIBRARIES)


ATTRIBUTIONS = Catalogue({**LATENT_MAPS, **CLASS_MAPS, **GRADIENTS, **CAM_FAMILY, **OWN_MAPS})


LIBRARY_NAMES = ", ".join(f"{library}:NAME" for library in LIBRARIES)


def released_names() -> dict[str, str]:
    """The published code's name -> ours."""
    return {theirs: ours for ours, attribution in ATTRIBUTIONS.items() for theirs in attribution.released}


def canonical_name(name: str) -> str:
    """Our name for ``name``, which may be the published code's."""
    released = released_names()
    ours = released.get(name, name)
    if ours in ATTRIBUTIONS:
        ATTRIBUTIONS[ours]  # a library's name that the library does not have is an error now
        return ours
    nearest = get_close_matches(name, [*ATTRIBUTIONS, *released], n=1)
    hint = f" (did you mean {nearest[0]}?)" if nearest else ""
    raise UserError(f"unknown attribution {name!r}{hint}: choose from {', '.join(ATTRIBUTIONS)}; or {LIBRARY_NAMES}")


def names_in(text: str) -> list[str]:
    """Our names for those in a list with commas, each once."""
    return list(dict.fromkeys(canonical_name(name.strip()) for name in text.split(",") if name.strip()))


def title_of(name: str) -> str:
    """The literature's name of an attribution, which may have left the catalogue."""
    return (ATTRIBUTIONS[name].title if name in ATTRIBUTIONS else "") or name


def resolve_name(score_map_process: str | None, score_map_method: str, method: str) -> str:
    """Our name of the attribution that three flags ask for.

    Args:
        score_map_process: a name of an attribution; None takes that of the training method.
        score_map_method: "activation_map", or "backprop", which turns cam into gradient and allows no other map.
            Gradient maps have the same meaning under both.
        method: how the network was trained, a name in ``networks.METHODS``.
    """
    name = canonical_name(score_map_process) if score_map_process else METHODS[method].default_map
    if score_map_method not in ("activation_map", "backprop"):
        raise UserError(f"unknown `score_map_method` {score_map_method!r}: choose activation_map or backprop")
    if score_map_method == "backprop" and ATTRIBUTIONS[name].kind != "gradient":
        if score_map_process and name != "cam":
            raise UserError(
                f"`score_map_method`=backprop does not go with `score_map_process`={score_map_process}: "
                "use vanilla, or `score_map_method`=activation_map"
            )
        name = "gradient"
    if (methods := ATTRIBUTIONS[name].needs_methods) and method not in methods:
        raise UserError(f"the attribution {name} is of networks trained by {', '.join(methods)}, not by {method}")
    if ATTRIBUTIONS[name].needs_prior and not METHODS[method].needs_prior:
        possible = [other for other, attribution in ATTRIBUTIONS.items() if not attribution.needs_prior]
        raise UserError(
            f"`score_map_process`={score_map_process} needs CALM's prior, which a {method} network does not have: "
            f"choose from {', '.join(possible)}"
        )
    return name
