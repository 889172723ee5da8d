"""In sentences: whether CALM keeps CAM's accuracy and finds the cue of real birds better than CAM and its rivals."""

import statistics
from collections.abc import Mapping
from typing import Any, NamedTuple

from calm.attribution.catalogue import title_of
from calm.experiments.birds_page import cue_results, flags_given
from calm.experiments.markdown import number, rows
from calm.experiments.plan import GRADIENT_MAPS, SUBSAMPLE
from calm.experiments.trainings import NETWORKS, Network

Found = Mapping[str, Any]
TOLERANCE = 1.0
"""Points of accuracy that count as kept."""
BIRDS = {network.name: network for network in NETWORKS if network.name.startswith("birds_")}
CAM = BIRDS["birds_CAM"]
RIVALS = ("finercam", *GRADIENT_MAPS)
"""Maps of CAM's network that CALM's own should beat as well."""


class Reached(NamedTuple):
    """What a network reaches on real birds, mean over its seeds that have both figures."""

    network: Network
    accuracy: float
    cue: float
    """mPxAP of its own map by the text's score, cells as tiles."""
    above: float
    """That less prevalence."""
    seeds: int


def reached(found: Found, network: Network) -> Reached | None:
    """The means of a network, None where it was not run."""
    stem = f"cue_location_{network.default_map}_text_grid"
    kept = [found.get(f"{network.name}_s{seed}", {}) for seed in network.seeds]
    both = [(own["accuracy"]["metrics"], own[stem]["metrics"]) for own in kept if {"accuracy", stem} <= own.keys()]
    both = [(accuracy, cue) for accuracy, cue in both if cue["mPxAP"] is not None]
    if not both:
        return None
    accuracy = statistics.fmean(own["accuracy"] for own, _ in both)
    cue, prevalence = (statistics.fmean(own[name] for _, own in both) for name in ("mPxAP", "prevalence"))
    return Reached(network, accuracy, cue, cue - prevalence, len(both))


def accuracy_and_cue(found: Found) -> str:
    """A row per network, the highest mPxAP first."""
    every = [own for network in BIRDS.values() if (own := reached(found, network))]
    lines = [
        [title(own.network), number(own.accuracy), number(own.cue), number(own.above), str(own.seeds)]
        for own in sorted(every, key=lambda own: own.cue, reverse=True)
    ]
    return rows(["trained on real birds", "accuracy %", "mPxAP", "above prevalence", "seeds"], lines)


def title(network: Network) -> str:
    """A network's name without that of its data set."""
    return network.name.removeprefix("birds_")


def rivals(found: Found, calm: Network) -> dict[str, tuple[float, float]]:
    """Map of CAM's network -> its mPxAP and that of CALM's own map, about the same few images of seed 0."""
    few = {
        (run, result["config"]["score_map_process"]): result["metrics"]["mPxAP"]
        for run, _, result in cue_results(found)
        if "max_images" in flags_given(result)
    }
    own = few.get((f"{calm.name}_s0", calm.default_map))
    values = {name: few.get((f"{CAM.name}_s0", name)) for name in RIVALS}
    return {} if own is None else {name: (value, own) for name, value in values.items() if value is not None}


def answer(found: Found) -> str:
    """Whether there is such a setting, and what stands against it."""
    cam = reached(found, CAM)
    calm = [own for network in BIRDS.values() if network.has_prior and (own := reached(found, network))]
    if cam is None or not calm:
        return "CAM and CALM were not both run on real birds here."
    question = (
        "Is there a setting in which CALM keeps CAM's accuracy within a point and finds the cue of real birds better "
        "than CAM, Finer-CAM and the best gradient map? "
    )
    keeps = [own for own in calm if own.accuracy >= cam.accuracy - TOLERANCE]
    if not keeps:
        near = max(calm, key=lambda own: own.accuracy)
        return question + (
            f"**No**: none of {', '.join(title(own.network) for own in calm)} keeps its accuracy. The nearest, "
            f"{title(near.network)}, {beside(near, cam)}."
        )
    best = max(keeps, key=lambda own: own.cue)
    said = f"{title(best.network)} {beside(best, cam)}"
    if best.cue <= cam.cue:
        return f"{question}**No**: of those that keep its accuracy {said}."
    known = rivals(found, best.network)
    missing = [name for name in RIVALS if name not in known]
    better = {name: value for name, (value, own) in known.items() if value >= own}
    if better:
        first = max(better, key=lambda name: better[name])
        return (
            f"{question}**No**: {said}, but on {SUBSAMPLE} images {title_of(first)} of CAM's network gets "
            f"{number(better[first])}, and CALM's own map {number(known[first][1])}."
        )
    if missing:
        return f"{question}**Not known yet**: {said}; not run: {', '.join(map(title_of, missing))}."
    return f"{question}**Yes**: {said}, and on {SUBSAMPLE} images it is above each of these maps of CAM's network."


def beside(own: Reached, cam: Reached) -> str:
    """Accuracy and mPxAP beside CAM's, as the end of a sentence."""
    return (
        f"has {number(own.accuracy)} % against {number(cam.accuracy)} %, and mPxAP {number(own.cue)} against "
        f"{number(cam.cue)}"
    )
