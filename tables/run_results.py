"""What a run folder's results say, and the command lines that give them again."""

import json
import shlex
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from attribution import ATTRIBUTIONS, GRADIENT_MAPS, options_of
from config import flags_of
from errors import UserError
from flags import GROUPS
from networks.checkpoint import CHECKPOINT_KEYS

RECIPES = Path(__file__).resolve().parent.parent / "configs"
_PLACES = {
    "experiment_name", "override_cache", "save_root", "workers", "use_load_checkpoint", "load_checkpoint", "data_root",
    "metadata_root", "mask_root", "resume", "is_train", "tag", "compile", "pretrained_path", "cam_curve_interval",
}  # fmt: skip
"""Flags that say where and how fast, not what. (The interval of a curve is a matter of precision.)"""
_IDENTITY = {"attribution_method", "dataset_name", "score_map_process", "score_map_method", "attributions", "seed"}
"""Flags that a row or column of a table stands for."""


@dataclass(frozen=True)
class Result:
    """One evaluation of one checkpoint with one attribution."""

    evaluation: str
    dataset: str
    method: str
    attribution: str | None
    """Our name; None where the network alone is evaluated."""
    settings: Mapping[str, Any]
    """Every other flag that can change a number."""
    seed: int | None
    """Of the training; None where it is not known."""
    metrics: Mapping[str, float | None]
    commands: tuple[str, ...]
    """Training, where it is known, then evaluation."""
    checkpoint: str | None
    """Hash of the checkpoint."""

    @staticmethod
    def mean_of(results: Sequence["Result"], settings: Mapping[str, Any]) -> "Result":
        """The mean of every metric that all ``results`` have, under new settings."""
        names = [name for name in results[0].metrics if all(r.metrics.get(name) is not None for r in results)]
        means = {name: statistics.fmean(result.metrics[name] for result in results) for name in names}
        commands = tuple(command for result in results for command in result.commands)
        return replace(results[0], settings=settings, metrics=means, commands=commands, checkpoint=None)


def read_results(folders: Sequence[str | Path]) -> list[Result]:
    """Every result of the run folders; of several for the same checkpoint, attribution and settings the newest.

    Raises:
        UserError: a folder without results, or a file in it that is none.
    """
    newest: dict[tuple, Result] = {}
    for folder in folders:
        files = sorted((Path(folder) / "results").glob("*.json"), key=lambda path: path.stat().st_mtime)
        if not files:
            raise UserError(f"{folder}: there is no results/*.json; give run folders that were evaluated")
        for result in [result for path in files for result in _read_file(path)]:
            settings = repr(sorted(result.settings.items()))
            key = (result.evaluation, result.attribution, result.checkpoint, result.dataset, settings)
            newest[key] = result
    return list(newest.values())


def _read_file(path: Path) -> list[Result]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        evaluation, flags, metrics = content["evaluation"], content["config"], content["metrics"]
        checkpoint = content["checkpoint"] or {}
        dataset, method = flags["dataset_name"], flags["attribution_method"]
        if flags.get("scoremap_root"):
            return []  # maps of another tool belong to no method
        if evaluation == "attribution":
            named = list(metrics.items())
        else:
            named = [(None if evaluation == "accuracy" else content["details"]["attribution"], metrics)]
        named = [(name, dict(values)) for name, values in named]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path}: not a results file of this project ({type(error).__name__}: {error})") from error
    trained = _training_flags(Path(checkpoint["path"]).parent) if checkpoint else {}
    if not trained and evaluation == "accuracy" and flags.get("is_train"):
        trained = flags
    common = {
        "evaluation": evaluation, "dataset": dataset, "method": method, "seed": trained.get("seed"),
        "commands": _commands(trained, flags, content), "checkpoint": checkpoint.get("sha256"),
    }  # fmt: skip
    settings = _settings(trained, flags, evaluation)
    return [
        Result(attribution=name, metrics=values, settings=_relevant(settings, method, name), **common)
        for name, values in named
    ]


def _training_flags(folder: Path) -> dict[str, Any]:
    """config.yaml of a run; empty where there is none, as beside a published checkpoint."""
    path = folder / "config.yaml"
    if not path.is_file():
        return {}
    try:
        return dict(yaml.safe_load(path.read_text(encoding="utf-8")) or {})
    except (OSError, ValueError, TypeError, yaml.YAMLError) as error:
        raise UserError(f"{path}: not the flags of a run ({' '.join(str(error).split())})") from error


def _settings(trained: Mapping[str, Any], flags: Mapping[str, Any], evaluation: str) -> dict[str, Any]:
    """What can change a number: the flags of the training, then those of the evaluation and its maps."""
    of_maps = {flag.name for group in ("attribution maps", "evaluation") for flag in GROUPS[group]}
    settings = {key: value for key, value in trained.items() if key not in of_maps}
    evaluated = set(CHECKPOINT_KEYS) if evaluation == "accuracy" else of_maps.union(CHECKPOINT_KEYS)
    settings |= {key: value for key, value in flags.items() if key in evaluated}
    return {key: value for key, value in settings.items() if key not in _PLACES | _IDENTITY}


def _relevant(settings: Mapping[str, Any], method: str, attribution: str | None) -> dict[str, Any]:
    """``settings`` without those that change nothing for this method and this map, which would part equal runs."""
    idle = set()
    if method == "CAM":
        idle |= {"prior_activation", "detach_prior_sum"}
    if method != "CALM_EM":
        idle.add("em_target")
    if method != "CALM_EM" or settings.get("em_target") == "current":
        idle.add("em_momentum")
    if attribution in ATTRIBUTIONS:
        idle |= set().union(*map(options_of, ATTRIBUTIONS)) - options_of(attribution)
        if attribution not in GRADIENT_MAPS:
            idle.add("smoothing_ksize")
    return {key: value for key, value in settings.items() if key not in idle}


def _flags_line(script: str, values: Mapping[str, Any]) -> str:
    """The command line that gives a script ``values``; what is the default is left out."""
    words = [f"python {script}.py"]
    for name, flag in flags_of(script).items():
        value = values.get(name, flag.default)
        if value is None or value == flag.default:
            continue
        many = " ".join(map(str, value)) if isinstance(value, (list, tuple)) else None
        words.append(f"--{name} {many}" if many else f"--{name}={shlex.quote(str(value))}")
    return " ".join(words)


def _commands(trained: Mapping[str, Any], flags: Mapping[str, Any], content: Mapping[str, Any]) -> tuple[str, ...]:
    """Training first, where its flags are known; then the evaluation, without what the checkpoint says itself."""
    training = (_flags_line("main", trained),) if trained else ()
    if content["evaluation"] == "accuracy" and flags.get("is_train"):
        return training
    said = {key for key in CHECKPOINT_KEYS if trained and trained.get(key) == flags.get(key)}
    script = "main" if content["evaluation"] == "accuracy" else f"eval_{content['evaluation']}"
    return (*training, _flags_line(script, {key: value for key, value in flags.items() if key not in said}))


def recipe_commands(dataset: str, method: str, evaluation: str, attribution: str | None) -> tuple[str, ...]:
    """How to get a number that was not run: the recipe in configs/ where there is one, and the evaluation."""
    name = f"{dataset}_{method}"
    if (RECIPES / f"{name}.yaml").is_file():
        training = f"python main.py --config configs/{name}.yaml"
    else:
        training = f"python main.py --experiment_name={name} --dataset={dataset} --attribution_method={method}"
    if attribution is None:
        return (training,)
    chosen = f"--attributions={attribution}" if evaluation == "attribution" else f"--score_map_process={attribution}"
    tag = attribution.replace("+", "p")
    return (training, f"python eval_{evaluation}.py --load_checkpoint=save/{name}/ {chosen} --tag={tag}")
