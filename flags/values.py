"""What a word of the command line or of a file becomes."""

import argparse
from collections.abc import Callable


def boolean(text: str) -> bool:
    """True/False, 1/0, yes/no in any case."""
    value = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}.get(text.lower())
    if value is None:
        raise argparse.ArgumentTypeError(f"'{text}' is not one of True, False, 1, 0, yes, no")
    return value


def integer(text: str) -> int:
    """A whole number."""
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number") from None


def number(text: str) -> float:
    """A number."""
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number") from None


def finite(text: str) -> float:
    """A finite number."""
    value = number(text)
    if not abs(value) < 1e38:  # what single precision holds
        raise argparse.ArgumentTypeError(f"{text} is not a finite number")
    return value


def positive_int(text: str) -> int:
    """An integer of at least 1."""
    value = integer(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is below 1")
    return value


def natural(text: str) -> int:
    """An integer of at least 0."""
    value = integer(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{value} is below 0")
    return value


def non_negative(text: str) -> float:
    """A finite number of at least 0."""
    value = number(text)
    if not 0 <= value < 1e38:  # what single precision holds
        raise argparse.ArgumentTypeError(f"{text} is not a finite number of at least 0")
    return value


def interval(text: str) -> float:
    """A threshold step in (0, 1]."""
    value = number(text)
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not in (0, 1]")
    return value


def share(text: str) -> float:
    """A number in [0, 1]."""
    value = number(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not in [0, 1]")
    return value


def optional_seed(text: str) -> int | None:
    """An integer from 0 to 2^62, or 'none'."""
    value = None if text.lower() in ("none", "null") else natural(text)
    if value is not None and value > 2**62:
        raise argparse.ArgumentTypeError(f"{value} is above 2^62 = {2**62}")
    return value


def spelling_of(listed: tuple[str, ...]) -> Callable[[str], str]:
    """A word as it is listed, whatever its case and hyphens; another word as it is."""

    def spelling(text: str) -> str:
        found = (name for name in listed if name.lower() == text.replace("-", "_").lower())
        return next(found, text)

    return spelling
