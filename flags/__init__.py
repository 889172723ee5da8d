"""Every flag of every script, once: name, default, meaning, and what a resumed run and a table make of it."""

import argparse
from collections.abc import Mapping
from numbers import Real
from typing import Any, NoReturn, Self

from munch import Munch

from calm.errors import UserError
from calm.flags import data, evaluation, maps, methods, network, run, training
from calm.flags.flag import EVALUATIONS, Flag

GROUPS: dict[str, tuple[Flag, ...]] = {
    "run": run.RUN,
    "data": data.DATA,
    "network": network.NETWORK,
    "training": training.TRAINING,
    "options of training methods": methods.METHOD_OPTIONS,
    "attribution maps": maps.SCORE_MAPS,
    "evaluation": evaluation.EVALUATION,
}
FROM_CHECKPOINT = "What the checkpoint records is the default here, in place of the values in brackets."
_IGNORED = "No effect here: accepted so that one list of flags serves every script, as in the released code."
NOTES = {
    "data": dict.fromkeys(EVALUATIONS, FROM_CHECKPOINT),
    "network": dict.fromkeys(EVALUATIONS, FROM_CHECKPOINT),
    "training": dict.fromkeys(EVALUATIONS, _IGNORED),
    "options of training methods": dict.fromkeys(EVALUATIONS, FROM_CHECKPOINT),
    "attribution maps": {"main": _IGNORED},
}
"""Group -> script -> what its --help says of all flags of the group."""


def flags_of(script: str | None = None) -> dict[str, Flag]:
    """Name -> flag of one script ("main", "eval_wsol", ...), or of all: of one described twice, the last."""
    flags = (flag for group in GROUPS.values() for flag in group)
    return {flag.name: flag for flag in flags if script is None or script in flag.scripts}


def names(**facts: Any) -> tuple[str, ...]:
    """Names, in the order of the table, of the flags whose fields have these values: ``names(role="network")``."""
    return tuple(
        name
        for name, flag in flags_of().items()
        if all(getattr(flag, field) == value for field, value in facts.items())
    )


def default_of(name: str, flags: Mapping[str, Flag], given: Mapping[str, Any]) -> Any:
    """The value of a flag of ``flags``: as ``given``, or else its default there, which may follow other flags."""
    if name in given:
        return given[name]
    flag = flags[name]
    for (other, value), default in flag.default_under.items():
        if other in flags and default_of(other, flags, given) == value:
            return default
    return list(flag.default) if flag.many and flag.default is not None else flag.default


def value_of(flag: Flag, value: Any) -> Any:
    """A word, a list of words, or a value that was recorded, as the value of a flag."""
    if value is None:
        if flag.default is not None:
            raise argparse.ArgumentTypeError(f"'{flag.name}' has no value; give one or leave the key out")
        return None
    if isinstance(value, (list, tuple)) != flag.many and not (flag.many and isinstance(value, (str, int, float))):
        raise argparse.ArgumentTypeError(f"takes {'a list of values' if flag.many else 'one value'}, not {value!r}")
    words = value if isinstance(value, (list, tuple)) else [value]
    if flag.many and not words:
        raise argparse.ArgumentTypeError("needs at least one value")
    found = []
    for word in words:
        if not isinstance(word, (str, Real)):  # numpy's numbers are too
            raise argparse.ArgumentTypeError(f"takes a word or a number, not {word!r}")
        found.append(flag.type(str(word)))
        if flag.choices and found[-1] not in flag.choices:
            raise argparse.ArgumentTypeError(f"invalid choice: {word!r} (choose from {', '.join(flag.choices)})")
    return found if flag.many else found[0]


def checked(values: Mapping[str, Any], source: str) -> dict[str, Any]:
    """Values that are recorded or given in Python, each as its flag takes it; names that are no flags are left out.

    Raises:
        UserError: a value that its flag does not take, naming ``source``.
    """
    known = {name: flag for name, flag in flags_of().items() if name in values}
    found = {}
    for name, flag in known.items():
        try:
            found[name] = value_of(flag, values[name])
        except (argparse.ArgumentTypeError, ValueError, TypeError) as error:
            raise UserError(f"{source}: its `{name}`: {error}") from error
    return found


class Config(Munch):
    """Flag -> value, also as attributes; frozen. ``given`` names the flags that the command line or a file set."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        dict.__init__(self, values)

    def replaced(self, **values: Any) -> Self:
        """A copy with other values."""
        return type(self)({**self, **values})

    def copy(self) -> Self:
        """The same values again."""
        return self.replaced()

    def __reduce__(self) -> tuple:
        return type(self), (dict(self),)

    def _refuse(self, *words: Any, **values: Any) -> NoReturn:
        raise TypeError("a config is frozen: replaced(name=value) gives another one")

    __setattr__ = __setitem__ = __delattr__ = __delitem__ = _refuse  # type: ignore[assignment]  # one refusal for all
    update = pop = popitem = clear = setdefault = _refuse  # type: ignore[assignment]


def recorded(args: Mapping[str, Any]) -> dict[str, Any]:
    """What goes into a training's config.yaml, checkpoints and results: every flag, as plain values."""
    return {name: value for name, value in sorted(args.items()) if name != "given"}


def recorded_evaluation(args: Config) -> dict[str, Any]:
    """What goes into the results of an evaluation: the flags that it reads, ``experiment_name`` where it was given."""
    left_out = {*names(trains=True), *({"experiment_name"} - args.given)}
    return {name: value for name, value in recorded(args).items() if name not in left_out}
