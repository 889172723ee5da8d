"""What decides how well CALM finds the cue: the effect of one choice at a time, from kept numbers."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import product
from typing import Any

from calm.experiments.cells import LAGGING, RELU, SETTINGS, SOFTPLUS, seeds_of
from calm.experiments.differences import BIRDS, CHOICES, SETTINGS_OF_A_MAP, WHERE_CELLS_LOOK
from calm.experiments.findings import BySeed, over_seeds
from calm.experiments.markdown import rows, with_interval
from calm.experiments.search_page import settings_in_words

OWN_MAPS = {"CAM": "CAM", "CALM_EM": "CALM_EM", "CALM_EM_relu": "CALM_EM, ReLU prior"}
"""Network, behind the name of its birds -> the same in words."""


def _of_settings(tables: Mapping[str, Any], scratch: Mapping[str, Any]) -> Iterator[list[str]]:
    """The prior, the teacher and the pretraining, on SynthBirds, seed by seed."""

    def seeds(source: Mapping[str, Any], label: str) -> BySeed:
        return seeds_of(source, "table1", "SynthBirds", *SETTINGS[label], ("mPxAP",))

    compared = {
        "prior: ReLU - softplus": (seeds(tables, RELU), seeds(tables, SOFTPLUS)),
        "theta': lagging - current": (seeds(tables, LAGGING), seeds(tables, SOFTPLUS)),
        "ImageNet weights - from scratch, softplus": (seeds(tables, SOFTPLUS), seeds(scratch, SOFTPLUS)),
        "ImageNet weights - from scratch, ReLU": (seeds(tables, RELU), seeds(scratch, RELU)),
    }
    for title, (one, other) in compared.items():
        if shared := one.keys() & other.keys():
            yield ["SynthBirds", title, with_interval(*over_seeds(one, other)), str(len(shared))]


def _other_settings(found: Mapping[str, Any], other: str, one: str) -> str:
    """In which settings beside the choice two networks of real birds differ, where the search chose others."""
    chosen = found.get("search", {}).get("chosen", {})
    tuned = {network.name: network.tuned_as or "" for network in BIRDS}
    tried = [chosen.get(tuned[name], {}).get("tried", {}) for name in (one, other)]
    if tried[0] == tried[1]:
        return ""
    texts = [settings_in_words(own) or "usual settings" for own in tried]
    return f", and as searched {' - '.join(texts)}"


def _of_networks(found: Mapping[str, Any]) -> Iterator[list[str]]:
    """What differs between networks of real birds; images and pairs drawn again."""
    kept = found.get("differences", {})
    for title, (other, one) in CHOICES.items():
        if own := kept.get(f"{one} - {other}, text, grid"):
            text = with_interval(own["difference"], own["interval"])
            yield ["real birds", f"{title}{_other_settings(found, other, one)}", text, str(own["seeds"])]


def _of_own_maps(found: Mapping[str, Any], where: str, prefix: str, titles: Iterable[str]) -> Iterator[list[str]]:
    """How a network's own map is scored and laid; images, and pairs where there are some, drawn again."""
    kept = found.get("differences", {})
    for (network, name), title in product(OWN_MAPS.items(), titles):
        if own := kept.get(f"{prefix}_{network}: {title}"):
            yield [where, f"{name}: {title}", with_interval(own["difference"], own["interval"]), "1"]


def table_of_causes(found: Mapping[str, Any], tables: Mapping[str, Any], scratch: Mapping[str, Any]) -> str:
    """A row per choice: where, what is compared, points and their 95 % interval, seeds."""
    lines = [
        *_of_networks(found),
        *_of_own_maps(found, "real birds", "birds", SETTINGS_OF_A_MAP),
        *_of_settings(tables, scratch),
        *_of_own_maps(found, "SynthBirds", "SynthBirds", WHERE_CELLS_LOOK),
    ]
    return rows(["where", "choice", "points of mPxAP, or as named", "seeds"], lines)
