"""Paired differences between results about the same images: networks against each other, and maps of one network."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np

from calm.evaluation.intervals import interval_of
from calm.experiments.plan import ALIGNMENTS, GRADIENT_MAPS, SCORES, SUBSAMPLE
from calm.experiments.trainings import NETWORKS, Network
from calm.training.accuracy import RIGHT
from calm.training.accuracy import replicates_of as accuracy_again

BIRDS = tuple(network for network in NETWORKS if network.name.startswith("birds_"))
CHOICES = {
    "prior: ReLU - softplus": ("birds_CALM_EM", "birds_CALM_EM_relu"),
    "prior: softplus at temperature 0.1 - 1": ("birds_CALM_EM", "birds_CALM_EM_sharp"),
    "theta': lagging - current": ("birds_CALM_EM", "birds_CALM_EM_ema"),
    "CAM, grid: 16x16 - 8x8": ("birds_CAM", "birds_CAM_16x16"),
    "CALM_EM, grid: 16x16 - 8x8": ("birds_CALM_EM", "birds_CALM_EM_16x16"),
    "CALM_EM, ReLU prior, grid: 16x16 - 8x8": ("birds_CALM_EM_relu", "birds_CALM_EM_relu_16x16"),
    "CAM, resolution: 192 - 128 px": ("birds_CAM", "birds_CAM_192"),
    "CALM_EM, resolution: 192 - 128 px": ("birds_CALM_EM", "birds_CALM_EM_192"),
    "CALM_EM, 192 px, from a trained CAM - from ImageNet": ("birds_CALM_EM_192", "birds_CAM_192_then_CALM_EM"),
    "CAM, twice as long": ("birds_CAM", "birds_CAM_then_CAM"),
    "CALM_EM, from a trained CAM - from ImageNet": ("birds_CALM_EM", "birds_CAM_then_CALM_EM"),
    "CALM_EM, ReLU prior, from a trained CAM - from ImageNet": ("birds_CALM_EM_relu", "birds_CAM_then_CALM_EM_relu"),
}
"""What differs between two networks of real birds -> what is compared with, network."""


COMPARED = {(cam, own.name) for own in BIRDS for cam in ("birds_CAM", own.beside) if cam != own.name}
COMPARED |= {("birds_CALM_ML", "birds_CALM_EM"), ("birds_CALM_ML", "birds_CALM_EM_ema"), *CHOICES.values()}
"""(what is compared with, network)."""
SETTINGS_OF_A_MAP = {
    "released - text's score": ("released_grid", "text_grid"),
    "min-max - max, text's score": ("text-minmax_grid", "text_grid"),
    "receptive field - grid, text's score": ("text_receptive_field", "text_grid"),
    "cells at offset 0 - grid, text's score": ("text_offset_0", "text_grid"),
}
"""What is changed of how one map is scored -> the two settings."""
WHERE_CELLS_LOOK = {
    f"{title} - grid, {metric}": (metric, f"wsol_{alignment}", "wsol_grid")
    for title, alignment in (("receptive field", "receptive_field"), ("cells at offset 0", "offset_0"))
    for metric in ("MaxBoxAccV2", "PxAP")
}
"""The same of boxes and masks of drawn birds -> the metric and the two results."""
ERASED = ("R_10", "R_30", "R_50")
"""Of remove-and-classify: with more pixels erased at random few images are still right, and R_k is a ratio of these."""
IN_WORDS = "R_10, R_30 and R_50"
SUBSAMPLED = f"_text_grid_{SUBSAMPLE}"
RIVALS = ("finercam", *GRADIENT_MAPS)
"""Maps of CAM's network that CALM's own should beat as well."""


def differences(found: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Paired differences: every network's own map against CAM's, and maps of one network against its own map."""
    compared: dict[str, tuple[str, tuple[str, ...]]] = {
        f"{score}, {alignment}": (f"cue_location_{{}}_{score}_{alignment}", ("mPxAP",))
        for score, alignment in product(SCORES, ALIGNMENTS)
    }
    compared |= {metric: ("pixel_perturb", (metric,)) for metric in ERASED} | {IN_WORDS: ("pixel_perturb", ERASED)}
    compared |= {"accuracy": ("accuracy", ("accuracy",))}
    for network, other in product(NETWORKS, NETWORKS):
        if (other.name, network.name) not in COMPARED:
            continue
        for title, (stem, metrics) in compared.items():
            shared = []
            for seed in sorted({*network.seeds} & {*other.seeds}):
                one, two = (
                    found.get(f"{own.name}_s{seed}", {}).get(stem.format(own.default_map)) for own in (network, other)
                )
                shared += [(one, two)] if one and two and is_paired(one, two, metrics=metrics) else []
            if shared:
                yield f"{network.name} - {other.name}, {title}", difference(shared, *metrics)
    for network in NETWORKS:
        run = found.get(f"{network.name}_s0", {})
        stem = f"cue_location_{network.default_map}_{{}}".format
        for title, (one, other) in SETTINGS_OF_A_MAP.items():
            if stem(one) in run and stem(other) in run:
                yield f"{network.name}: {title}", difference([(run[stem(one)], run[stem(other)])], "mPxAP")
        for title, (metric, one, other) in WHERE_CELLS_LOOK.items():
            if one in run and other in run:
                yield f"{network.name}: {title}", difference([(run[one], run[other])], metric)
        maps = {stem.split("_text_")[0].removeprefix("cue_location_"): stem for stem in run if SUBSAMPLED in stem}
        if own := maps.pop(network.default_map, None):
            for name, stem in maps.items():
                key = f"{network.name}: {name} - {network.default_map}"
                yield key, difference([(run[stem], run[own])], "mPxAP")
        if network.has_prior and own:
            cam = found.get(f"{network.beside}_s0", {})
            for name in RIVALS:
                stem = f"cue_location_{name}{SUBSAMPLED}"
                if stem in cam:
                    yield rival_key(network, name), difference([(run[own], cam[stem])], "mPxAP")


def rival_key(network: Network, name: str) -> str:
    """What the difference of a network's own map and another map of its CAM is called."""
    return f"{network.name} - {network.beside}, {name}, {SUBSAMPLE} images"


def compared_in(key: str) -> set[str]:
    """The networks that a difference is of, by its key in ``differences``."""
    return set(key.partition(",")[0].partition(":")[0].split(" - "))


def _asked(content: Mapping[str, Any]) -> Any:
    """What a result is about: the class pairs and the images of each, or the number of images."""
    details = content["details"]
    if "pairs" not in details:
        return details["num_images"]
    return [(pair["class_a"], pair["class_b"], pair["num_images"]) for pair in details["pairs"]]


def is_paired(*contents: Mapping[str, Any], metrics: Iterable[str]) -> bool:
    """Whether all of some results have some metrics, and say what drawing the images again makes of them."""
    return all(
        own["metrics"][metric] is not None
        and (RIGHT in own["details"] or metric in own["details"].get("replicates", {}))
        for own, metric in product(contents, metrics)
    )


def replicates_of(content: Mapping[str, Any], metric: str) -> np.ndarray:
    """[R] of a metric of a results file, as the file has them, or of the accuracy from which images were right."""
    details = content["details"]
    if RIGHT in details:
        return accuracy_again(np.array([*details[RIGHT]]) == "1")[metric]
    return np.array(details["replicates"][metric], dtype=float)


def difference(shared: Sequence[tuple[Mapping[str, Any], ...]], *metrics: str) -> dict[str, Any]:
    """Of (one, other) result per seed: mean difference over metrics and seeds, and its paired 95 % interval.

    Raises:
        ValueError: the two are not about the same pairs and images.
    """
    if any(_asked(one) != _asked(other) for one, other in shared):
        raise ValueError("a paired difference needs the same class pairs and images")
    values = [np.mean([one["metrics"][name] - other["metrics"][name] for name in metrics]) for one, other in shared]
    replicates = [
        np.subtract(*(np.mean([replicates_of(own, name) for name in metrics], axis=0) for own in pair))
        for pair in shared
    ]
    return {
        "difference": float(np.mean(values)),
        "interval": interval_of(np.mean(replicates, axis=0)),
        "seeds": len(shared),
        "each": [float(value) for value in values],
    }
