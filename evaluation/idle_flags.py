"""Flags that nobody reads for an evaluation, method and map, by the owners that stand on the flags."""

from collections.abc import Collection, Mapping
from textwrap import shorten
from typing import Any

from calm.attribution import ATTRIBUTIONS, options_of
from calm.distributed import print0
from calm.errors import as_flags
from calm.flags import Config, default_of, flags_of
from calm.flags.flag import Flag, Owner
from calm.networks import METHODS
from calm.networks.options import options_of as keyword_only


def idle_flags(settings: Mapping[str, Any], evaluation: str, method: str, attribution: str | None) -> set[str]:
    """Flags whose owners do not read them for this evaluation, method and map.

    Args:
        settings: flags, on whose values owners may depend.
        evaluation: such as wsol; or accuracy.
        method: the network's training method.
        attribution: our name of the map; None where there is no network's map.
    """
    options = {"method": _options_of_method(method), "map": _options_of_map(attribution)}
    kind = None if attribution is None or attribution not in ATTRIBUTIONS else ATTRIBUTIONS[attribution].kind

    def reads(owner: Owner, flag: Flag) -> bool:
        if any(settings.get(name) != value for name, value in owner.when.items()):
            return False
        return (
            flag.name in options[owner.name] if owner.name in options else owner.name in (evaluation, kind, "training")
        )

    return {
        name
        for name, flag in flags_of().items()
        if flag.owners and not any(reads(owner, flag) for owner in flag.owners)
    }


def _options_of_method(method: str) -> set[str]:
    """The flags that a training method reads."""
    return {*keyword_only(METHODS[method].head), *keyword_only(METHODS[method].objective)}


def _options_of_map(attribution: str | None) -> set[str]:
    """The flags that a map reads."""
    if attribution is None or attribution not in ATTRIBUTIONS:
        return set()
    return options_of(attribution) | ({"smoothing_ksize"} if ATTRIBUTIONS[attribution].image_sized else set())


def warn_of_idle_flags(args: Config, evaluation: str, attributions: Collection[str | None] = (None,)) -> None:
    """Say which flags were given a value of their own that changes nothing.

    Of an evaluation those of maps, of a training those of methods.

    Args:
        args: the flags.
        evaluation: as of ``idle_flags``; accuracy is a training's.
        attributions: the maps that are evaluated, None for maps of files; a flag that one of them reads is not idle.
    """
    training, flags = evaluation == "accuracy", {name: flag for name, flag in flags_of().items() if name in args}
    each = [idle_flags(args, evaluation, args.attribution_method, attribution) for attribution in attributions]
    maps = ", ".join(name or "maps of files" for name in attributions)
    what = f"training by {args.attribution_method}" if training else f"{evaluation} with {maps}"
    for name in [name for name in flags if name in args.given.intersection(*each)]:
        usual = default_of(name, flags, {other: value for other, value in args.items() if other != name})
        if (flags[name].role != "map") == training and args[name] != usual:
            meaning = shorten(flags[name].help, 160, placeholder=" ...")
            print0(as_flags(f"notice: `{name}`={args[name]} has no effect on {what}; it means: {meaning}"))
