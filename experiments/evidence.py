"""Numbers of result files, without photographs, maps or places: what is kept beside the page."""

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from calm import config
from calm.atomic import write_text
from calm.experiments.differences import compared_in, differences
from calm.experiments.plan import result_path, steps
from calm.experiments.trainings import Training
from calm.flags import names, recorded
from calm.tables.commands import ROOTS, evaluation_line, flags_line, is_of_training
from calm.training.run import CONFIG

DIFFERENCES = "differences.json"
TRAINING, COMMAND = "training", "command"
KEPT_FLAGS = (
    *("attribution_method", "max_images", "seed", "epochs", "crop_size", "score_map_process", "cue_score"),
    "norm_type",
    "resize_alignment",
    "cell_offset",
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


def kept_of(content: Mapping[str, Any], trained: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept of a results file of a run with the flags ``trained``."""
    kept = {
        key: content[key]
        for key in ("evaluation", "protocol", "data", "metrics", "baselines", "intervals")
        if key in content
    }
    ended = is_of_training(content["evaluation"], content["config"])
    other = () if ended else names(trains=True)  # of which results of before state the defaults
    kept["config"] = {name: content["config"][name] for name in KEPT_FLAGS if name in content["config"].keys() - other}
    kept["sha256"] = (content["checkpoint"] or {}).get("sha256")
    kept[COMMAND] = _command_of_result(content, trained)
    details = content["details"]
    kept["details"] = {name: details[name] for name in ("num_images", "correct", "correct_random") if name in details}
    if pairs := details.get("pairs"):
        measured = [pair for pair in pairs if pair["PxAP"] is not None]
        kept["details"]["pairs"] = [{key: pair[key] for key in pair if key != "images"} for pair in measured]
    return _rounded(kept)


def _command_of_result(content: Mapping[str, Any], trained: Mapping[str, Any]) -> str:
    """The command that gives a result again: the training's, or an evaluation's, which names the run folder."""
    if is_of_training(content["evaluation"], content["config"]):
        return command_of(content["config"])
    flags = {**content["config"], "load_checkpoint": trained["experiment_name"]}
    return evaluation_line(content["evaluation"], flags, trained=trained, leave_out=ROOTS)


def training_of(folder: Path) -> dict[str, Any]:
    """How a run was trained: its command, its epochs so far, and its accuracy on the validation images at the end."""
    path = folder / "metrics.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    ends = [line for line in map(json.loads, lines) if "val_accuracy" in line]
    found = {"epochs": ends[-1]["epoch"], "val_accuracy": _rounded(ends[-1]["val_accuracy"])} if ends else {}
    return found | {COMMAND: command_of(flags_of_run(folder))}


def command_of(flags: Mapping[str, Any]) -> str:
    """The command that trains with ``flags``, without places and defaults; a start is named by its run folder."""
    start = {"load_checkpoint": Path(flags["load_checkpoint"]).name} if flags.get("load_checkpoint") else {}
    return flags_line("main", {**flags, **start}, leave_out={*names(role="map"), *ROOTS})


def planned_command(training: Training) -> str:
    """The same of a training of the plan."""
    start = {"load_checkpoint": training.starts_from} if training.starts_from else {}
    words = {"experiment_name": training.run, **training.flags, **start}
    return command_of(recorded(config.parse([f"--{name}={value}" for name, value in words.items()], "main")))


def checkpoints_of(kept: Mapping[str, Any]) -> set[str | None]:
    """The hashes of the checkpoints that what is kept of a run is of."""
    return {own["sha256"] for stem, own in kept.items() if stem != TRAINING}


def flags_of_run(folder: Path) -> dict[str, Any]:
    """The flags of a training run, from its folder."""
    return yaml.safe_load((folder / CONFIG).read_text(encoding="utf-8"))


def otherwise(training: Training, command: str) -> str | None:
    """In which flags a command differs from the plan's, in words; None where it is the plan's."""
    found, planned = (set(line.split()[2:]) for line in (command, planned_command(training)))
    if found == planned:
        return None
    ours, theirs = (" ".join(sorted(words)) for words in (planned - found, found - planned))
    return f"{theirs or 'fewer flags'}, and the plan says {ours or 'nothing of it'}"


def trained_otherwise(training: Training, save_root: Path) -> str | None:
    """In which flags a run below ``save_root`` differs from the plan; None where it does not, or is not there."""
    folder = save_root / training.run
    if not (folder / CONFIG).is_file():
        return None
    other = otherwise(training, command_of(flags_of_run(folder)))
    return other and f"{folder}: it was trained with {other}"


def _write(path: Path, content: Any) -> None:
    write_text(path, json.dumps(content, indent=1, sort_keys=True) + "\n")


def collect(trainings: Iterable[Training], save_root: Path, folder: Path, say: Callable[[str], object]) -> list[str]:
    """Keep the plan's numbers of every run that is below ``save_root``; returns the names of these runs.

    A run that was trained otherwise, such as a reduced one, is left out with a notice. Files of runs that are not there
    stay, but for those of trainings that the plan no longer has. Differences between runs are written where both are
    there; older ones stay but for those of networks that are now others.
    """
    found: dict[str, dict[str, Any]] = {}
    before, changed = read(folder), set[str]()
    plan = {training.run: training for training in trainings}
    for training in plan.values():
        run, place = training.run, save_root / training.run
        files = [path for step in steps([training]) if (path := result_path(save_root, step)).is_file()]
        if not files:
            continue
        if other := trained_otherwise(training, save_root):
            say(f"notice: left out: {other}")
            continue
        found[run] = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in files}
        trained = flags_of_run(place)
        kept = {stem: kept_of(content, trained) for stem, content in found[run].items()}
        if run in before and checkpoints_of(before[run]) != checkpoints_of(kept):
            changed.add(training.network.name)
        _write(folder / f"{run}.json", {**kept, TRAINING: training_of(place)})
    for run in before.keys() & plan.keys() - found.keys():
        command = before[run][TRAINING].get(COMMAND)
        if command and (other := otherwise(plan[run], command)):
            say(f"notice: {folder / run}.json is removed: it is of a training with {other}")
            (folder / f"{run}.json").unlink()
            changed.add(plan[run].network.name)
    if found or changed:
        every = before.get(Path(DIFFERENCES).stem, {}).items()
        old = {key: value for key, value in every if not changed & compared_in(key)}
        _write(folder / DIFFERENCES, _rounded({**old, **dict(differences(found))}))
    return list(found)


def read(folder: Path) -> dict[str, dict[str, Any]]:
    """Run -> stem of a results file -> what was kept of it."""
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))}
