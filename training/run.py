"""A training run's folder: refuse to overwrite, create, log, save."""

import json
import shutil
from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from calm import distributed
from calm.atomic import exclusive, remove_leftovers, write_text
from calm.errors import UserError
from calm.flags import Config, recorded
from calm.networks.tensor_files import write_tensors
from calm.runs import BEST, EXPORTS, LAST, run_folder
from calm.training.board import Board

CONFIG = "config.yaml"
LOCK = ".lock"
PREVIOUS = "previous"
"""Folder within a run's own for the run that it replaces, until it has a checkpoint itself."""
_RUN_FILES = (CONFIG, "metrics.jsonl", "log.txt", LAST, BEST)


class Run:
    """One training run's folder; only rank 0 writes."""

    def __init__(self, folder: Path, *, resumed_epoch: int = 0) -> None:
        """Open ``folder`` for writing; on resuming, forget what was logged after ``resumed_epoch``."""
        self.folder = folder
        self._board: Board | None = None
        if not distributed.is_main():
            return
        for name in _RUN_FILES:
            remove_leftovers(folder / name)
        kept = []
        if resumed_epoch:
            kept = _metrics_up_to(folder / "metrics.jsonl", resumed_epoch)
            write_text(folder / "metrics.jsonl", "".join(json.dumps(values) + "\n" for values in kept))
        with self._writing():
            self._board = Board(folder, first_step=kept[-1]["step"] + 1 if kept else None)

    @contextmanager
    def _writing(self) -> Generator[None, None, None]:
        """Say of a full or vanished disk which folder is meant; checkpoints there are whole as they are."""
        try:
            yield
        except OSError as error:
            raise UserError(
                f"{self.folder} cannot be written ({error.strerror or error}); checkpoints that are there are whole"
            ) from error

    def log(self, message: str) -> None:
        """Print a line and keep it in log.txt."""
        distributed.print0(message)
        if distributed.is_main():
            with self._writing(), (self.folder / "log.txt").open("a") as log:
                log.write(message + "\n")

    def record(self, **values: float | int) -> None:
        """Append a line to metrics.jsonl, and its real numbers to TensorBoard at its ``step``."""
        if self._board is not None:
            with self._writing():
                with (self.folder / "metrics.jsonl").open("a") as metrics:
                    metrics.write(json.dumps(values) + "\n")
                self._board.record(values)

    def describe(self, args: Config) -> None:
        """Tell TensorBoard what the run was trained with."""
        if self._board is not None:
            with self._writing():
                self._board.describe(args)

    def picture(self, name: str, step: int, draw: Callable[[], np.ndarray]) -> None:
        """Show TensorBoard a picture, uint8 [H,W,3]."""
        if self._board is not None:
            with self._writing():
                self._board.picture(name, step, draw)

    def save(self, name: str, content: Mapping[str, Any]) -> None:
        """Write a checkpoint atomically; the first of a run that replaces an earlier one lets go of that."""
        if distributed.is_main():
            write_tensors(self.folder / name, content)
            shutil.rmtree(self.folder / PREVIOUS, ignore_errors=True)


def _metrics_up_to(path: Path, epoch: int) -> list[dict[str, Any]]:
    """Lines of metrics.jsonl up to ``epoch``; a kill may have cut the last one."""
    kept = []
    for line in path.read_text(errors="replace").splitlines() if path.is_file() else []:
        try:
            values = json.loads(line)
        except ValueError:
            break
        if not isinstance(values, dict) or not all(isinstance(values.get(key), int) for key in ("epoch", "step")):
            raise UserError(f"{path}, line {len(kept) + 1}: is no line of a run's metrics; move the file away")
        if values["epoch"] > epoch:
            break
        kept.append(values)
    return kept


def run_lock(args: Config) -> AbstractContextManager[None]:
    """Keep other processes from writing into the run's folder; rank 0 holds the lock for all."""
    return exclusive(run_folder(args) / LOCK) if distributed.is_main() else nullcontext()


def refuse_reuse(args: Config) -> None:
    """Raise a ``UserError`` if the experiment name is taken and the run is neither resumed nor replaced."""
    folder = run_folder(args)
    taken = [name for name in _RUN_FILES if (folder / name).exists()]
    if args.resume and not any(name in taken for name in (LAST, CONFIG)):
        raise UserError(f"`resume`: {folder / LAST} does not exist; start the run without `resume`")
    if taken and not args.resume and not args.override_cache:
        raise UserError(
            f"{folder} holds a run already; choose another `experiment_name`, continue it with `resume` or "
            "replace it with `override_cache`"
        )
    if args.override_cache and not args.resume and taken and not _is_ours(folder / CONFIG):
        raise UserError(
            f"`override_cache`: {folder} has {taken[0]} but no {CONFIG} of a run of this code, so it is not replaced; "
            "choose another `experiment_name`"
        )


def _is_ours(config: Path) -> bool:
    """Whether a file is the config of a run: a mapping of flags."""
    try:
        content = yaml.safe_load(config.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError, RecursionError):
        return False
    return isinstance(content, dict) and {"experiment_name", "attribution_method"} <= content.keys()


def create_run(args: Config) -> Run:
    """Start a fresh run folder; an earlier run of the name is set aside, until this one has a checkpoint."""
    folder = run_folder(args)
    if distributed.is_main():
        folder.mkdir(parents=True, exist_ok=True)
        _set_aside(folder)
        _write_config(args)
    distributed.barrier()
    return Run(folder)


def resume_run(args: Config, epoch: int) -> Run:
    """Go on with a run after ``epoch``; its config says with which flags, such as more ``epochs``, if it goes on."""
    if distributed.is_main() and epoch < args.epochs:
        _write_config(args.replaced(resume=False))
    return Run(run_folder(args), resumed_epoch=epoch)


def _write_config(args: Config) -> None:
    write_text(run_folder(args) / CONFIG, yaml.safe_dump(recorded(args)))


def _set_aside(folder: Path) -> None:
    """Move a run's files into its folder ``PREVIOUS``; one that never had a checkpoint gives way at once."""
    if not (folder / CONFIG).is_file():
        return
    events = folder.glob("events.out.tfevents.*")
    named = (folder / name for name in (*_RUN_FILES, "results", *EXPORTS))
    files = [path for path in (*named, *events) if path.exists()]
    if (folder / LAST).is_file():
        shutil.rmtree(folder / PREVIOUS, ignore_errors=True)
        (folder / PREVIOUS).mkdir()
        for path in files:
            path.rename(folder / PREVIOUS / path.name)
        return
    for path in files:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
