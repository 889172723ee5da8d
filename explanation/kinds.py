"""The maps an explanation shows: how each is made, its formula and the sentence that says what one value means."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class MapKind:
    """One kind of map. In ``sentence``, {target}, {versus}, {subset} and {value} are filled in."""

    attribution: str
    """A name of ``attribution.ATTRIBUTIONS`` that needs the output alone."""
    title: str
    formula: str
    sentence: str
    unit: str
    is_probability: bool = True
    """Whether a value is one, or a difference of two."""
    minus_versus: bool = False
    """Whether the map of the class to compare with is subtracted."""
    of_subset: bool = False
    """Whether the map is that of the question's subset."""
    signed: bool = False
    in_figure: bool = True
    """Whether the figures have a panel of it; the page has all."""


CALM_KINDS = {
    "joint": MapKind(
        attribution="joint",
        title="Joint",
        formula="p(y, z | x)",
        sentence="The cue for {target} was here with probability {value}.",
        unit="probability",
    ),
    "conditional": MapKind(
        attribution="conditional",
        title="Conditional",
        formula="p(y | x, z)",
        sentence="If the cue was here, the class is {target} with probability {value}.",
        unit="probability",
    ),
    "posterior": MapKind(
        attribution="posterior",
        title="Posterior",
        formula="p(z | x, y)",
        sentence="If the class is {target}, the cue was here with probability {value}.",
        unit="probability",
        in_figure=False,
    ),
    "saliency": MapKind(
        attribution="saliency",
        title="Saliency",
        formula="p(z | x)",
        sentence="The cue for any class was here with probability {value}.",
        unit="probability",
    ),
    "subset": MapKind(
        attribution="subset",
        title="Subset",
        formula="Σ p(y, z | x)",
        sentence="The cue for {subset} was here with probability {value}.",
        unit="probability",
        of_subset=True,
    ),
    "counterfactual": MapKind(
        attribution="counterfactual",
        title="Counterfactual",
        formula="p(y, z | x) − p(y′, z | x)",
        sentence="Here the cue speaks for {target} rather than {versus}, by a probability of {value}.",
        unit="difference of probabilities",
        signed=True,
    ),
}
"""Maps of a network with a prior (paper, Section 4.1.3), in the order they are shown."""

CAM_KINDS = {
    "cam": MapKind(
        attribution="cam",
        title="Class map",
        formula="g(y, z)",
        sentence="The score of {target} before pooling is {value} here.",
        unit="class score",
        is_probability=False,
    ),
    "cam-saliency": MapKind(
        attribution="cam-saliency",
        title="Saliency",
        formula="Σ scaled g(y, z)",
        sentence="The class maps, each scaled to 0…1, add up to {value} here.",
        unit="sum of scaled maps",
        is_probability=False,
    ),
    "cam-subset": MapKind(
        attribution="cam-subset",
        title="Subset",
        formula="Σ scaled g(y, z)",
        sentence="The scaled class maps of {subset} add up to {value} here.",
        unit="sum of scaled maps",
        is_probability=False,
        of_subset=True,
    ),
    "counterfactual": MapKind(
        attribution="cam",
        title="Counterfactual",
        formula="g(y, z) − g(y′, z)",
        sentence="Here the score of {target} is {value} above that of {versus}.",
        unit="difference of class scores",
        is_probability=False,
        minus_versus=True,
        signed=True,
    ),
}
"""Maps of a network without a prior: its values are scores (paper, Section 3)."""


def kinds_of(has_prior: bool) -> dict[str, MapKind]:
    """The maps of a network whose output has a prior p(z|x), or has none."""
    return CALM_KINDS if has_prior else CAM_KINDS


def value_in_words(value: float, *, is_probability: bool) -> str:
    """A value with two significant digits; probabilities near 0 and 1 are said to be near, not rounded to them."""
    if not is_probability:
        return f"{float(f'{value:.3g}'):g}"
    if value < 1e-4:
        return "less than 0.0001"
    return "more than 0.99" if value > 0.995 else f"{value:.2g}"


def listed(names: Sequence[str], word: str) -> str:
    """["A", "B", "C"] -> "A, B or C", where ``word`` is "or"."""
    return f" {word} ".join(part for part in (", ".join(names[:-1]), *names[-1:]) if part)


def subset_in_words(names: list[str], total: int) -> str:
    """["A", "B"] -> "A or B"; more than three are counted, and all ``total`` of them are said to be all."""
    if len(names) == total > 1:
        return f"any of all {total} classes"
    if len(names) > 3:
        return f"one of {len(names)} classes"
    return listed(names, "or") or "no class"


def sentence(kind: MapKind, value: float, *, target: str, versus: str, subset: list[str], total: int) -> str:
    """What ``value`` at a cell of a map means. A negative counterfactual speaks for the other class.

    Args:
        kind: of the map.
        value: of the map there.
        target: name of the explained class.
        versus: of the class to compare with.
        subset: names of the subset's classes.
        total: number of all classes.
    """
    if kind.signed and value < 0:
        target, versus, value = versus, target, -value
    words = {"target": target, "versus": versus, "subset": subset_in_words(subset, total)}
    return kind.sentence.format(**words, value=value_in_words(value, is_probability=kind.is_probability))
