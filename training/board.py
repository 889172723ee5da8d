"""TensorBoard's events of a training run: its flags, its numbers and pictures."""

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from calm import distributed, errors
from calm.flags import Config, flags_of


class Board:
    """Events of one run's folder; without TensorBoard it does nothing, with a notice."""

    def __init__(self, folder: Path, *, first_step: int | None) -> None:
        """Open ``folder``; events from ``first_step`` on are written anew."""
        self._writer: Any = None
        if not errors.is_installed("tensorboard"):
            distributed.print0(f"notice: no TensorBoard events: {errors.how_to_install('tensorboard')}")
            return
        from torch.utils.tensorboard import SummaryWriter  # slow to import, and an extra

        threading.excepthook = _say_nothing_of_events(threading.excepthook)
        self._writer = SummaryWriter(str(folder), purge_step=first_step)

    def describe(self, args: Config) -> None:
        """Tell what the run was trained with, so that it can be set beside others by flag and accuracy."""
        if self._writer is None:
            return
        from torch.utils.tensorboard.summary import hparams  # see __init__

        trained = (name for name, flag in flags_of("main").items() if flag.role in ("network", "data", "run"))
        values = {
            name: value if isinstance(value, (bool, int, float)) else str(value)
            for name, value in ((name, args[name]) for name in trained)
        }
        for summary in hparams(values, {"val_accuracy": 0.0, "train_loss": 0.0}):
            self._writer.file_writer.add_summary(summary)

    def record(self, values: Mapping[str, float | int]) -> None:
        """Add the real numbers among ``values`` at their ``step``."""
        if self._writer is None:
            return
        for name, value in values.items():
            if isinstance(value, float):
                self._writer.add_scalar(name, value, values["step"])
        self._writer.flush()

    def picture(self, name: str, step: int, draw: Callable[[], np.ndarray]) -> None:
        """Add a picture, uint8 [H,W,3]; it is drawn only where somebody will see it."""
        if self._writer is not None:
            self._writer.add_image(name, draw(), step, dataformats="HWC")
            self._writer.flush()


def _say_nothing_of_events(otherwise: Callable[[Any], object]) -> Callable[[Any], object]:
    """A hook for errors of threads: the thread that writes events hands its own to the next call, which raises it."""

    def hook(ended: Any) -> None:
        if not (type(ended.thread).__module__.startswith("tensorboard.") and isinstance(ended.exc_value, OSError)):
            otherwise(ended)

    return hook
