"""Numbers of result files, without photographs, maps or places: what is kept beside the page."""

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from calm.atomic import write_text
from calm.evaluation.intervals import interval_of
from calm.experiments.plan import ALIGNMENTS, NETWORKS, SCORES, SUBSAMPLE

DIFFERENCES = "differences.json"
TRAINING = "training"
COMPARED = {("birds_CAM", network.name) for network in NETWORKS if network.name != "birds_CAM"}
COMPARED |= {("birds_CALM_ML", "birds_CALM_EM"), ("birds_CALM_EM", "birds_CALM_EM_relu")}
"""(what is compared with, network)."""
SETTINGS_OF_A_MAP = {
    "released - text's score": ("released_grid", "text_grid"),
    "min-max - max, text's score": ("text-minmax_grid", "text_grid"),
    "receptive field - grid, text's score": ("text_receptive_field", "text_grid"),
}
"""What is changed of how one map is scored -> the two settings."""
SUBSAMPLED = f"_text_grid_{SUBSAMPLE}"
KEPT_FLAGS = ("attribution_method", "max_images", "seed", "epochs", "crop_size", "score_map_process", "cue_score")
KEPT_FLAGS += (
    "norm_type",
    "resize_alignment",
    "prior_activation",
    "em_target",
    "dataset_name",
    "architecture",
    "erase",
)


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, Mapping):
        return {key: _rounded(item) for key, item in value.items()}
    return [_rounded(item) for item in value] if isinstance(value, list) else value


def kept_of(content: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept of a results file."""
    kept = {
        key: content[key] for key in ("evaluation", "protocol", "metrics", "baselines", "intervals") if key in content
    }
    kept["config"] = {name: content["config"][name] for name in KEPT_FLAGS if name in content["config"]}
    kept["sha256"] = (content["checkpoint"] or {}).get("sha256")
    details = content["details"]
    kept["details"] = {name: details[name] for name in ("num_images", "correct", "correct_random") if name in details}
    if pairs := details.get("pairs"):
        kept["details"]["pairs"] = [{key: pair[key] for key in pair if key != "images"} for pair in pairs]
    return _rounded(kept)


def training_of(path: Path) -> dict[str, Any]:
    """How many epochs a run was trained, and its accuracy on the validation images at the end."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    ends = [line for line in map(json.loads, lines) if "val_accuracy" in line]
    return {"epochs": ends[-1]["epoch"], "val_accuracy": _rounded(ends[-1]["val_accuracy"])} if ends else {}


def _write(path: Path, content: Any) -> None:
    write_text(path, json.dumps(content, indent=1, sort_keys=True) + "\n")


def collect(save_root: Path, folder: Path) -> list[str]:
    """Keep the numbers of every run of the plan that is below ``save_root``; returns the names of these runs.

    Files of runs that are not there stay as they are. Differences between runs are written where both are there.
    """
    found: dict[str, dict[str, Any]] = {}
    for run in (f"{network.name}_s{seed}" for network in NETWORKS for seed in network.seeds):
        files = sorted((save_root / run / "results").glob("*.json"))
        if files:
            found[run] = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in files}
            kept = {stem: kept_of(content) for stem, content in found[run].items()}
            _write(folder / f"{run}.json", {**kept, TRAINING: training_of(save_root / run / "metrics.jsonl")})
    if found:
        old = read(folder).get(Path(DIFFERENCES).stem, {})
        _write(folder / DIFFERENCES, _rounded({**old, **dict(differences(found))}))
    return list(found)


def read(folder: Path) -> dict[str, dict[str, Any]]:
    """Run -> stem of a results file -> what was kept of it."""
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))}


def differences(found: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Paired differences: every network's own map against CAM's, and maps of one network against its own map."""
    compared = {
        f"{score}, {alignment}": (f"cue_location_{{}}_{score}_{alignment}", "mPxAP")
        for score, alignment in product(SCORES, ALIGNMENTS)
    }
    compared |= {"R_10": ("pixel_perturb", "R_10"), "R_30": ("pixel_perturb", "R_30")}
    for network, other in product(NETWORKS, NETWORKS):
        if (other.name, network.name) not in COMPARED:
            continue
        for title, (stem, metric) in compared.items():
            shared = []
            for seed in sorted({*network.seeds} & {*other.seeds}):
                one, two = (
                    found.get(f"{own.name}_s{seed}", {}).get(stem.format(own.default_map)) for own in (network, other)
                )
                shared += [(one, two)] if one and two else []
            if shared:
                yield f"{network.name} - {other.name}, {title}", difference(shared, metric)
    for network in NETWORKS:
        run = found.get(f"{network.name}_s0", {})
        stem = f"cue_location_{network.default_map}_{{}}".format
        for title, (one, other) in SETTINGS_OF_A_MAP.items():
            if stem(one) in run and stem(other) in run:
                yield f"{network.name}: {title}", difference([(run[stem(one)], run[stem(other)])], "mPxAP")
        maps = {stem.split("_text_")[0].removeprefix("cue_location_"): stem for stem in run if SUBSAMPLED in stem}
        if own := maps.pop(network.default_map, None):
            for name, stem in maps.items():
                key = f"{network.name}: {name} - {network.default_map}"
                yield key, difference([(run[stem], run[own])], "mPxAP")


def _asked(content: Mapping[str, Any]) -> Any:
    """What a result is about: the class pairs and the images of each, or the number of images."""
    details = content["details"]
    if "pairs" not in details:
        return details["num_images"]
    return [(pair["class_a"], pair["class_b"], pair["num_images"]) for pair in details["pairs"]]


def difference(shared: Sequence[tuple[Mapping[str, Any], ...]], metric: str) -> dict[str, Any]:
    """Of (one, other) result per seed: mean difference over the seeds and its paired 95 % interval.

    Raises:
        ValueError: the two are not about the same pairs and images.
    """
    if any(_asked(one) != _asked(other) for one, other in shared):
        raise ValueError("a paired difference needs the same class pairs and images")
    values = [one["metrics"][metric] - other["metrics"][metric] for one, other in shared]
    replicates = [
        np.subtract(*(np.array(own["details"]["replicates"][metric], dtype=float) for own in pair)) for pair in shared
    ]
    return {
        "difference": float(np.mean(values)),
        "interval": interval_of(np.mean(replicates, axis=0)),
        "seeds": len(shared),
    }
