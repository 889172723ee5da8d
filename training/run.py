"""A training run's folder: refuse to overwrite, create, log, save."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import yaml

from calm import distributed, errors
from calm.atomic import remove_leftovers, replacing, write_text
from calm.errors import UserError
from calm.flags import Config, recorded
from calm.runs import BEST, LAST, run_folder

CONFIG = "config.yaml"
_RUN_FILES = (CONFIG, "metrics.jsonl", "log.txt", LAST, BEST)


def event_writer(folder: Path, first_step: int | None) -> Any:
    """What writes TensorBoard's events of a run, those from ``first_step`` on anew; None, with a notice, without it."""
    if not errors.is_installed("tensorboard"):
        distributed.print0("notice: no TensorBoard events: pip install 'calm-attribution[tensorboard]'")
        return None
    from torch.utils.tensorboard import SummaryWriter  # slow to import, and an extra

    return SummaryWriter(str(folder), purge_step=first_step)


class Run:
    """One training run's folder; only rank 0 writes."""

    def __init__(self, folder: Path, *, resumed_epoch: int = 0) -> None:
        """Open ``folder`` for writing; on resuming, forget what was logged after ``resumed_epoch``."""
        self.folder = folder
        self._board = None
        if not distributed.is_main():
            return
        for name in _RUN_FILES:
            remove_leftovers(folder / name)
        kept = []
        if resumed_epoch:
            kept = _metrics_up_to(folder / "metrics.jsonl", resumed_epoch)
            write_text(folder / "metrics.jsonl", "".join(json.dumps(values) + "\n" for values in kept))
        self._board = event_writer(folder, first_step=kept[-1]["step"] + 1 if kept else None)

    def log(self, message: str) -> None:
        """Print a line and keep it in log.txt."""
        distributed.print0(message)
        if distributed.is_main():
            with (self.folder / "log.txt").open("a") as log:
                log.write(message + "\n")

    def record(self, **values: float | int) -> None:
        """Append a line to metrics.jsonl, and its real numbers to TensorBoard at its ``step``."""
        if not distributed.is_main():
            return
        with (self.folder / "metrics.jsonl").open("a") as metrics:
            metrics.write(json.dumps(values) + "\n")
        if self._board is None:
            return
        for name, value in values.items():
            if isinstance(value, float):
                self._board.add_scalar(name, value, values["step"])
        self._board.flush()

    def save(self, name: str, content: Mapping[str, Any]) -> None:
        """Write a checkpoint atomically."""
        if distributed.is_main():
            with replacing(self.folder / name) as temporary:
                torch.save(dict(content), temporary)


def _metrics_up_to(path: Path, epoch: int) -> list[dict[str, Any]]:
    """Lines of metrics.jsonl up to ``epoch``; a kill may have cut the last one."""
    kept = []
    for line in path.read_text().splitlines() if path.is_file() else []:
        try:
            values = json.loads(line)
        except ValueError:
            break
        if values["epoch"] > epoch:
            break
        kept.append(values)
    return kept


def refuse_reuse(args: Config) -> None:
    """Raise a ``UserError`` if the experiment name is taken and the run is neither resumed nor replaced."""
    folder = run_folder(args)
    taken = any((folder / name).exists() for name in _RUN_FILES)
    if args.resume and not any((folder / name).is_file() for name in (LAST, CONFIG)):
        raise UserError(f"`resume`: {folder / LAST} does not exist; start the run without `resume`")
    if taken and not args.resume and not args.override_cache:
        raise UserError(
            f"{folder} holds a run already; choose another `experiment_name`, continue it with `resume` or "
            "replace it with `override_cache`"
        )


def create_run(args: Config) -> Run:
    """Start a fresh run folder; an earlier run of the name is removed (see ``refuse_reuse``)."""
    folder = run_folder(args)
    if distributed.is_main():
        for path in [folder / name for name in _RUN_FILES] + list(folder.glob("events.out.tfevents.*")):
            path.unlink(missing_ok=True)
        if args.override_cache:
            shutil.rmtree(folder / "results", ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        write_text(folder / CONFIG, yaml.safe_dump(recorded(args)))
    distributed.barrier()
    return Run(folder)
