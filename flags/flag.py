"""One flag, and what is said of it."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

SCRIPTS = ("main", "eval_cue_location", "eval_pixel_perturb", "eval_wsol", "eval_attribution", "eval_intervention")
EVALUATIONS = SCRIPTS[1:]


class Owner(NamedTuple):
    """Who reads a flag, and under which values of other flags."""

    name: str
    """An evaluation ("wsol"); "training"; "method" or "map": those that take an option of the flag's name; or a kind of
    map ("class map")."""
    when: Mapping[str, Any] = MappingProxyType({})


class Flag(NamedTuple):
    """One flag."""

    name: str
    type: Callable[[str], Any]
    default: Any
    help: str
    choices: tuple[str, ...] | None = None
    """None: any value, or those of an open table (methods, trunks, ...), whose owner checks them."""
    default_under: Mapping[tuple[str, str], Any] = MappingProxyType({})
    """(another flag, its value) -> the default there: {("protocol", "released"): 1}; the first that holds."""
    absent: Any = None
    """What a results file was made with that does not name the flag, where that is not the default."""
    aliases: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()
    """What other programs call it: not taken, but the flag is named to who writes it."""
    many: bool = False
    scripts: tuple[str, ...] = SCRIPTS
    """Those that take it; none: it is an option that is given in Python alone."""
    role: Literal["network", "data", "map", "place", "run"] = "run"
    """It shapes the network, chooses the data, makes or judges maps, says where or how fast, or how to train."""
    on_resume: Literal["fixed", "free", "call"] = "fixed"
    """On --resume: the run's own value holds; may be changed; or belongs to the call alone."""
    stated: bool = False
    """Whether a checkpoint states it, and an evaluation takes it over from there."""
    trains: bool = False
    """Whether training alone reads it: an evaluation takes it, as the released code does, and records nothing of it."""
    owners: tuple[Owner, ...] = ()
    """Who reads it; none: everyone."""
    label: bool = False
    """Whether a row, a column or a seed of a table stands for it."""
    per_trunk: bool = False
    """Whether the recipes of several trunks may differ in it and still stand for one method."""
    words: Mapping[str, str] = MappingProxyType({})
    """Value -> how a table says it."""


RELEASED = ("protocol", "released")
"""For ``Flag.default_under``."""
METHOD, ATTRIBUTION, WSOL = (Owner("method"),), (Owner("map"),), (Owner("wsol"),)
ENLARGED = (Owner("wsol", {"scoremap_root": None}),)
"""Box localisation of a network's maps; those of files are score maps already."""


def place_flag(*columns: Any, **facts: Any) -> Flag:
    """A flag that says where or how fast."""
    return Flag(*columns, **{"role": "place", **facts})


def network_flag(*columns: Any, **facts: Any) -> Flag:
    """A flag that shapes the network; a checkpoint states it."""
    return Flag(*columns, **{"role": "network", "stated": True, **facts})


def training_flag(*columns: Any, **facts: Any) -> Flag:
    """A flag that training alone reads."""
    return Flag(*columns, **{"trains": True, **facts})


def map_flag(*columns: Any, **facts: Any) -> Flag:
    """A flag that makes or judges maps."""
    return Flag(*columns, **{"role": "map", **facts})
