"""The maps an explanation shows: their names, formulas and the sentence that says what one value means."""

from collections.abc import Sequence
from typing import NamedTuple


class MapKind(NamedTuple):
    """One kind of map. In ``sentence``, {target}, {versus}, {subset} and {value} are filled in."""

    title: str
    formula: str
    sentence: str
    unit: str
    signed: bool = False


CALM_KINDS = {
    "joint": MapKind("Joint", "p(y, z | x)", "The cue for {target} was here with probability {value}.", "probability"),
    "conditional": MapKind(
        "Conditional",
        "p(y | x, z)",
        "If the cue was here, the class is {target} with probability {value}.",
        "probability",
    ),
    "posterior": MapKind(
        "Posterior",
        "p(z | x, y)",
        "If the class is {target}, the cue was here with probability {value}.",
        "probability",
    ),
    "saliency": MapKind(
        "Saliency", "p(z | x)", "The cue for any class was here with probability {value}.", "probability"
    ),
    "subset": MapKind(
        "Subset", "Σ p(y, z | x)", "The cue for {subset} was here with probability {value}.", "probability"
    ),
    "counterfactual": MapKind(
        "Counterfactual",
        "p(y, z | x) − p(y′, z | x)",
        "Here the cue speaks for {target} rather than {versus}, by a probability of {value}.",
        "difference of probabilities",
        signed=True,
    ),
}
"""Maps of a CALM network (paper, Section 4.1.3), in the order they are shown."""

CAM_KINDS = {
    "cam": MapKind("Class map", "g(y, z)", "The score of {target} before pooling is {value} here.", "class score"),
    "cam-saliency": MapKind(
        "Saliency",
        "Σ scaled g(y, z)",
        "The class maps, each scaled to 0…1, add up to {value} here.",
        "sum of scaled maps",
    ),
    "cam-subset": MapKind(
        "Subset",
        "Σ scaled g(y, z)",
        "The scaled class maps of {subset} add up to {value} here.",
        "sum of scaled maps",
    ),
    "counterfactual": MapKind(
        "Counterfactual",
        "g(y, z) − g(y′, z)",
        "Here the score of {target} is {value} above that of {versus}.",
        "difference of class scores",
        signed=True,
    ),
}
"""Maps of a CAM network: it has no p(z|x), so its values are scores (paper, Section 3)."""


def value_in_words(value: float, unit: str) -> str:
    """A value with two significant digits; probabilities near 0 and 1 are said to be near, not rounded to them."""
    if not unit.endswith(("probability", "probabilities")):
        return f"{float(f'{value:.3g}'):g}"
    if value < 1e-4:
        return "less than 0.0001"
    return "more than 0.99" if value > 0.995 else f"{value:.2g}"


def listed(names: Sequence[str], word: str) -> str:
    """["A", "B", "C"] -> "A, B or C", where ``word`` is "or"."""
    return f" {word} ".join(part for part in (", ".join(names[:-1]), *names[-1:]) if part)


def subset_in_words(names: list[str]) -> str:
    """["A", "B"] -> "A or B"; more than three are counted."""
    if len(names) > 3:
        return f"one of {len(names)} classes"
    return listed(names, "or") or "no class"


def sentence(kind: MapKind, value: float, *, target: str, versus: str, subset: list[str]) -> str:
    """What ``value`` at a cell of a map means. A negative counterfactual speaks for the other class."""
    if kind.signed and value < 0:
        target, versus, value = versus, target, -value
    words = {"target": target, "versus": versus, "subset": subset_in_words(subset)}
    return kind.sentence.format(**words, value=value_in_words(value, kind.unit))
