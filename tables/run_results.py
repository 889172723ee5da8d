"""What the results files of run folders say."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from calm.errors import UserError
from calm.evaluation.file_maps import name_of
from calm.evaluation.intervals import Interval
from calm.tables.commands import commands_of
from calm.tables.settings import data_of, key_of, settings_of


@dataclass(frozen=True)
class Result:
    """One evaluation of one checkpoint with one attribution."""

    evaluation: str
    dataset: str
    method: str
    attribution: str | None
    """Our name; None where the network alone is evaluated."""
    settings: Mapping[str, Any]
    """Every other flag that can change a number, and which images it is about (tables/settings.py)."""
    seed: int | None
    """Of the training; None where it is not known."""
    metrics: Mapping[str, float | None]
    intervals: Mapping[str, Interval | None]
    """95 % intervals of some metrics, images drawn again."""
    baselines: Mapping[str, Mapping[str, Any]]
    """Map without knowledge -> its metrics on the same images, for some metrics."""
    commands: tuple[str, ...]
    """Training, where it is known, then evaluation."""
    checkpoint: str | None
    """Hash of the checkpoint."""
    source: str | None
    """Its file, where it is now."""
    written: float
    """When the file was, in seconds."""
    stale: bool = False
    """Whether the checkpoint was trained on since."""


def read_results(folders: Sequence[str | Path]) -> list[Result]:
    """Every result of the run folders; of several for the same checkpoint, attribution and settings the newest.

    A folder that was not evaluated yet is passed over with a notice.

    Raises:
        UserError: no folder has a result, or a file among the results is none.
    """
    newest: dict[tuple, Result] = {}
    files_of = {folder: sorted((Path(folder) / "results").glob("*.json"), key=_time) for folder in folders}
    if folders and not any(files_of.values()):
        raise UserError(
            f"{', '.join(map(str, folders))}: there is no results/*.json; give run folders that were evaluated"
        )
    for folder, files in files_of.items():
        if not files:
            print(f"notice: {folder} has no results/*.json and is passed over")
        for result in [result for path in files for result in _read_file(path)]:
            settings = key_of(result.settings)
            key = (result.evaluation, result.attribution, result.checkpoint, result.dataset, settings)
            if key not in newest or newest[key].written <= result.written:
                newest[key] = result
    return _with_stale(list(newest.values()))


def _with_stale(results: Sequence[Result]) -> list[Result]:
    """The results, those of a checkpoint that was trained on since marked as stale, with a notice."""
    now = {result.source: result for result in sorted(results, key=lambda result: result.written)}
    marked = []
    for result in results:
        latest = now[result.source]
        marked.append(replace(result, stale=latest.checkpoint != result.checkpoint))
        if marked[-1].stale:
            what = f"{result.evaluation}{f' of {result.attribution}' if result.attribution else ''}"
            print(
                f"notice: {what} was measured on {result.source} as it was before {latest.evaluation} was, and stands "
                "in the row of the training as it is now: evaluate it again"
            )
    return marked


def _time(path: Path) -> float:
    return path.stat().st_mtime


def _read_file(path: Path) -> list[Result]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        evaluation, flags, checkpoint = content["evaluation"], content["config"], content["checkpoint"]
        dataset, method = flags["dataset_name"], flags["attribution_method"]
        folder, sha256 = (Path(checkpoint["path"]).parent, checkpoint["sha256"]) if checkpoint else (None, None)
        named, data = _metrics_of(content), data_of(content)
        if root := flags.get("scoremap_root"):  # maps of another tool belong to no method; those beside them do
            named = {name: metrics for name, metrics in named.items() if name != name_of(root)}
            flags = {**flags, "scoremap_root": None}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path}: not a results file of this project ({type(error).__name__}: {error})") from error
    trained = _training_flags(folder, given=path.parent.parent) if folder else {}
    if not trained and evaluation == "accuracy" and flags.get("is_train"):
        trained = flags
    return [
        Result(
            evaluation,
            dataset,
            method,
            name,
            settings_of(trained, flags, evaluation=evaluation, method=method, attribution=name) | data,
            trained.get("seed"),
            metrics,
            _intervals_of(content, name),
            _baselines_of(content, name),
            commands_of(trained, flags, evaluation=evaluation, attribution=name),
            sha256,
            checkpoint and str(_place_of(Path(checkpoint["path"]), given=path.parent.parent)),
            _time(path),
        )
        for name, metrics in named.items()
    ]


def _place_of(checkpoint: Path, *, given: Path) -> Path:
    """A checkpoint's file, in the run folder of its name that was ``given``; else as its results have it.

    Runs of one name that were made in several places have one relative path.
    """
    is_run = given.name == checkpoint.parent.name and (given / "config.yaml").is_file()
    return (given / checkpoint.name if is_run else checkpoint).resolve()


def _metrics_of(content: Mapping[str, Any]) -> dict[str | None, dict[str, float | None]]:
    """Attribution (None: the network alone) -> metrics, all of them numbers or None."""
    if content["evaluation"] in ("attribution", "intervention"):
        named = content["metrics"]
    else:
        attribution = None if content["evaluation"] == "accuracy" else content["details"]["attribution"]
        named = {attribution: content["metrics"]}
    for name, metrics in named.items():
        if not (name is None or isinstance(name, str)):
            raise TypeError(f"the attribution is {name}")
        for key, value in metrics.items():
            if value is not None and (isinstance(value, (bool, str)) or not math.isfinite(value)):
                raise ValueError(f"{key} is {value!r}")
    return {name: dict(metrics) for name, metrics in named.items()}


def _intervals_of(content: Mapping[str, Any], name: str | None) -> dict[str, Interval | None]:
    """Metric -> the interval that the file states, of one of its maps."""
    stated = content.get("intervals", {})
    own = stated.get(name, {}) if name in content["metrics"] else stated
    return {metric: (ends[0], ends[1]) if ends else None for metric, ends in own.items()}


def _baselines_of(content: Mapping[str, Any], name: str | None) -> dict[str, dict[str, Any]]:
    """Map without knowledge -> metrics: those beside every map, and those that are of the map ``name`` alone."""
    found = {}
    for key, metrics in content.get("baselines", {}).items():
        baseline, _, attribution = key.partition("/")  # "untrained_heads/gradcam", where several maps are compared
        if attribution in ("", name):
            found[baseline] = dict(metrics)
    return found


def _training_flags(folder: Path, *, given: Path) -> dict[str, Any]:
    """config.yaml of a run; empty, with a notice, where there is none, as beside a published checkpoint.

    It lies in the checkpoint's ``folder`` or, where that was moved, in the folder of the same name that was ``given``.
    """
    places = [folder, *([given] if given.name == folder.name else [])]
    path = next((place / "config.yaml" for place in places if (place / "config.yaml").is_file()), None)
    if path is None:
        print(f"notice: {folder} has no config.yaml, so the training behind {given} is not known")
        return {}
    try:
        return dict(yaml.safe_load(path.read_text(encoding="utf-8")) or {})
    except (OSError, ValueError, TypeError, yaml.YAMLError) as error:
        raise UserError(f"{path}: not the flags of a run ({' '.join(str(error).split())})") from error
