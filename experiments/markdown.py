"""Tables and numbers of a page, as Markdown."""

from collections.abc import Sequence

GENERATED = "<!-- Written by python -m experiments report: change experiments/, not this file. -->"


def rows(headings: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    every = [headings, ["---"] * len(headings), *lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in every)


def number(value: float | None, digits: int = 1) -> str:
    """A number, or a dash."""
    return "–" if value is None else f"{value:.{digits}f}".replace("-", "−")


def with_interval(value: float | None, interval: Sequence[float] | None, digits: int = 1) -> str:
    """A number and its 95 % interval."""
    if interval is None:
        return number(value, digits)
    return f"{number(value, digits)} [{', '.join(number(end, digits) for end in interval)}]"
