"""A training run's folder: refuse to overwrite, create, log, save."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import yaml
from munch import Munch
from torch.utils.tensorboard import SummaryWriter

import config
import distributed
from atomic import replacing, write_text
from errors import UserError
from runs import BEST, LAST, run_folder

_RUN_FILES = ("config.yaml", "metrics.jsonl", "log.txt", LAST, BEST)


class Run:
    """One training run's folder; only rank 0 writes."""

    def __init__(self, folder: Path, *, resumed_epoch: int = 0) -> None:
        """Open ``folder`` for writing; on resuming, forget what was logged after ``resumed_epoch``."""
        self.folder = folder
        self._board = SummaryWriter(str(folder)) if distributed.is_main() else None
        if resumed_epoch and distributed.is_main():
            lines = (folder / "metrics.jsonl").read_text().splitlines()
            kept = [line for line in lines if json.loads(line)["epoch"] <= resumed_epoch]
            write_text(folder / "metrics.jsonl", "".join(line + "\n" for line in kept))

    def log(self, message: str) -> None:
        """Print a line and keep it in log.txt."""
        distributed.print0(message)
        if distributed.is_main():
            with (self.folder / "log.txt").open("a") as log:
                log.write(message + "\n")

    def record(self, **values: float | int) -> None:
        """Append a line to metrics.jsonl, and its real numbers to TensorBoard at its ``step``."""
        if self._board is None:
            return
        with (self.folder / "metrics.jsonl").open("a") as metrics:
            metrics.write(json.dumps(values) + "\n")
        for name, value in values.items():
            if isinstance(value, float):
                self._board.add_scalar(name, value, values["step"])
        self._board.flush()

    def save(self, name: str, content: Mapping[str, Any]) -> None:
        """Write a checkpoint atomically."""
        if distributed.is_main():
            with replacing(self.folder / name) as temporary:
                torch.save(dict(content), temporary)


def refuse_reuse(args: Munch) -> None:
    """Raise a ``UserError`` if the experiment name is taken and neither --resume nor --override_cache is given."""
    folder = run_folder(args)
    taken = any((folder / name).exists() for name in _RUN_FILES)
    if args.resume and not (folder / LAST).exists():
        raise UserError(f"--resume: {folder / LAST} does not exist; start the run without --resume")
    if taken and not args.resume and not args.override_cache:
        raise UserError(
            f"{folder} holds a run already; choose another --experiment_name, continue it with --resume or "
            "replace it with --override_cache"
        )


def create_run(args: Munch) -> Run:
    """Start a fresh run folder; an earlier run of the name is removed (see ``refuse_reuse``)."""
    folder = run_folder(args)
    if distributed.is_main():
        for path in [folder / name for name in _RUN_FILES] + list(folder.glob("events.out.tfevents.*")):
            path.unlink(missing_ok=True)
        if args.override_cache:
            shutil.rmtree(folder / "results", ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        write_text(folder / "config.yaml", yaml.safe_dump(config.recorded(args)))
    distributed.barrier()
    return Run(folder)
