"""Whether CALM keeps CAM's accuracy and finds the cue of real birds better than CAM and its rivals, in sentences."""

import statistics
from collections.abc import Mapping
from itertools import product
from typing import Any, NamedTuple

from calm.attribution.catalogue import title_of
from calm.experiments.differences import BIRDS, ERASED, IN_WORDS, RIVALS, rival_key
from calm.experiments.findings import FAILS, HOLDS, Finding, of_kept
from calm.experiments.markdown import number, rows
from calm.experiments.plan import SUBSAMPLE
from calm.experiments.trainings import Network

Found = Mapping[str, Any]
QUESTION = (
    "Is there a setting in which CALM keeps CAM's accuracy within a point and finds the cue of real birds better than "
    "CAM, Finer-CAM and the best gradient map?"
)


LAID = {"grid": "cells as tiles", "offset_0": "cells at offset 0"}
"""Where the cells of own maps are laid -> the same in words."""


class Reached(NamedTuple):
    """What a network reaches on real birds, mean over its seeds that have both figures."""

    network: Network
    accuracy: float
    cue: float
    """mPxAP of its own map by the text's score."""
    above: float
    """That less prevalence."""
    untrained: float | None
    """mPxAP of the same map of heads that never learnt."""
    erased: float | None
    """Mean of R_10, R_30 and R_50 of its own map."""
    seeds: int


def reached(found: Found, network: Network, alignment: str = "grid") -> Reached | None:
    """The means of a network, None where it was not run."""
    stem = f"cue_location_{network.default_map}_text_{alignment}"
    kept = [found.get(f"{network.name}_s{seed}", {}) for seed in network.seeds]
    both = [own for own in kept if {"accuracy", stem} <= own.keys() and own[stem]["metrics"]["mPxAP"] is not None]
    if not both:
        return None
    accuracy = statistics.fmean(own["accuracy"]["metrics"]["accuracy"] for own in both)
    cue, prevalence = (statistics.fmean(own[stem]["metrics"][name] for own in both) for name in ("mPxAP", "prevalence"))
    untrained = _mean([own[stem].get("baselines", {}).get("untrained_heads", {}).get("mPxAP") for own in both])
    erased = _mean([own.get("pixel_perturb", {}).get("metrics", {}).get(name) for own in both for name in ERASED])
    return Reached(network, accuracy, cue, cue - prevalence, untrained, erased, len(both))


def _mean(values: list[float | None]) -> float | None:
    """Their mean; None where one is missing."""
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if known and len(known) == len(values) else None


def accuracy_and_cue(found: Found) -> str:
    """A row per network, the highest mPxAP first."""
    every = [own for network in BIRDS if (own := reached(found, network))]
    lines = []
    for own in sorted(every, key=lambda own: own.cue, reverse=True):
        laid = reached(found, own.network, "offset_0")
        values = [number(own.accuracy), number(own.cue), number(own.above), number(own.untrained)]
        values += [number(laid and laid.cue), number(own.erased, 2)]
        lines.append([title(own.network.name), *values, str(own.seeds)])
    headings = [
        "trained on real birds",
        "accuracy %",
        "mPxAP",
        "above prevalence",
        "mPxAP, untrained heads",
        f"mPxAP, {LAID['offset_0']}",
        "mean R_10, R_30, R_50",
        "seeds",
    ]
    return rows(headings, lines)


def title(network: str) -> str:
    """A network's name without that of its data set."""
    return network.removeprefix("birds_")


class Compared(NamedTuple):
    """A network of CALM less the CAM that started as it did."""

    network: Network
    alignment: str
    accuracy: Finding
    cue: Finding
    """mPxAP of own maps by the text's score."""
    erased: Finding | None
    """Mean R_k of own maps, lower is better; None where it was not measured."""
    rivals: dict[str, Finding]
    """mPxAP on some images: own map less another map of that CAM, by name."""

    def least(self) -> float:
        """How far it is within what accuracy may fall, or above CAM's mPxAP: the smaller of the two."""
        return min(self.accuracy.difference + self.accuracy.tolerance, self.cue.difference)

    def __str__(self) -> str:
        parts = f"accuracy {self.accuracy.figures()}, mPxAP {self.cue.figures()} ({LAID[self.alignment]})"
        if self.erased:
            parts += f", mean R_k {self.erased.figures()}"
        return f"{title(self.network.name)} minus {title(self.network.beside)}: {parts}"


def compared(found: Found) -> list[Compared]:
    """Every network of CALM that ran beside its CAM."""
    kept = found.get("differences", {})

    def finding(key: str, **more: Any) -> Finding | None:
        return of_kept("", kept[key], **more) if key in kept else None

    every = []
    for network, alignment in product(BIRDS, LAID):
        pair = f"{network.name} - {network.beside}"
        accuracy, cue = finding(f"{pair}, accuracy", tolerance=1.0), finding(f"{pair}, text, {alignment}")
        erased = finding(f"{pair}, {IN_WORDS}", better=-1, digits=2)
        if network.has_prior and accuracy and cue:
            others = {name: own for name in RIVALS if (own := finding(rival_key(network, name)))}
            every.append(Compared(network, alignment, accuracy, cue, erased, others))
    return every


def answer(found: Found) -> str:
    """The question, and what the intervals say to it."""
    every = compared(found)
    if not every:
        return f"{QUESTION} CAM and CALM were not both run on real birds."
    wins = [own for own in every if own.accuracy.verdict == own.cue.verdict == HOLDS]
    open_ones = [own for own in every if FAILS not in (own.accuracy.verdict, own.cue.verdict)]
    best = max(wins or open_ones or every, key=Compared.least)
    if not wins:
        verdict = "Undecided" if open_ones else "No"
        tried = len({own.network.name for own in every})
        nearest = f"Of the networks of CALM ({tried}, each laid in two ways) the nearest is {best}."
        others = beside_the_best_cam(found, every, best) + against_rivals(every) + chosen_on_the_test(every)
        return f"{QUESTION} **{verdict}**. {nearest}{others}"
    missing = [title_of(name) for name in RIVALS if name not in best.rivals]
    if missing:
        return f"{QUESTION} **Undecided**: {best}; not compared with {', '.join(missing)}."
    name, least = hardest(best)
    verdict = {HOLDS: "Yes", FAILS: "No"}.get(least.verdict, "Undecided")
    return f"{QUESTION} **{verdict}**: {best}; minus {title_of(name)} on {SUBSAMPLE} images {least.figures()}."


def beside_the_best_cam(found: Found, every: list[Compared], nearest: Compared) -> str:
    """A sentence on the nearest network beside the most accurate CAM; none where that is ``nearest``."""
    cams = {own.network.beside for own in every}
    kept = {network.name: own for network in BIRDS if network.name in cams and (own := reached(found, network))}
    if not kept:
        return ""
    cam = max(kept, key=lambda name: kept[name].accuracy)
    best = max((own for own in every if own.network.beside == cam), key=Compared.least)
    return "" if best is nearest else f" Beside the most accurate CAM it is {best}."


def chosen_on_the_test(every: list[Compared]) -> str:
    """What keeps these figures from being more than best cases, and beside which CAMs rivals were run."""
    cams = dict.fromkeys(title(own.network.beside) for own in every if own.rivals)
    rivals = f"; rivals were run beside {' and '.join(cams)} alone" if cams else ""
    return (
        " Nearest and hardest were picked on these same test images, so they are best cases, and no interval is "
        f"corrected for it{rivals}."
    )


def hardest(own: Compared) -> tuple[str, Finding]:
    """The rival that a network's own map beats least, or that beats it most."""
    return min(own.rivals.items(), key=lambda item: item[1].difference)


def against_rivals(every: list[Compared]) -> str:
    """A sentence on the network of CALM that does best against its hardest rival; none where no rival was measured."""
    measured = [own for own in every if own.rivals]
    if not measured:
        return ""
    best = max(measured, key=lambda own: hardest(own)[1].difference)
    name, least = hardest(best)
    whose = f"{title_of(name)} of {title(best.network.beside)}"
    laid = f"({LAID['grid']})"
    return f" On {SUBSAMPLE} images {title(best.network.name)}'s own map minus {whose}: {least.figures()} {laid}."
