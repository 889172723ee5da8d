"""Options by name: the keyword-only parameters of a head, an objective or a trunk, bound from a mapping of flags."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any


def options_of(function: Callable) -> dict[str, Any]:
    """Name -> default of every keyword-only parameter of a function or class."""
    parameters = inspect.signature(function).parameters.values()
    return {parameter.name: parameter.default for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY}


def chosen(function: Callable, values: Mapping[str, Any]) -> dict[str, Any]:
    """Those of ``values`` that ``function`` takes as options; what it does not know is left aside."""
    return {name: values[name] for name in options_of(function) if name in values}
