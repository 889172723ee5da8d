"""Run what is not done yet; a run that was cut off goes on where it was."""

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from calm.data_loaders.catalogue import dataset_named
from calm.errors import UserError
from calm.experiments.plan import Step, result_path
from calm.training.run import CONFIG


class Places:
    """Where data are and runs go."""

    def __init__(self, save_root: str, data_root: str, metadata_root: str) -> None:
        self.save_root, self.data_root, self.metadata_root = Path(save_root), data_root, metadata_root

    def words(self, step: Step) -> list[str]:
        """The whole command line of a step, after ``calm``."""
        places = [f"--data_root={self.data_root}", f"--metadata_root={self.metadata_root}"]
        places += [f"--mask_root={self.data_root}", "--workers=0"]
        if step.words[0] == "train":
            begun = (self.save_root / step.run / CONFIG).is_file()
            start = [f"--load_checkpoint={self.save_root / step.starts_from}"] if step.starts_from else []
            return [*step.words, *places, f"--save_root={self.save_root}", *(["--resume"] if begun else start)]
        return [*step.words, *places, f"--load_checkpoint={self.save_root / step.run}"]


def chosen(steps: Sequence[Step], names: Sequence[str]) -> list[Step]:
    """The steps of runs whose names start with one of ``names``; all without any."""
    for name in names:
        if not any(step.run.startswith(name) for step in steps):
            runs = ", ".join(dict.fromkeys(step.run for step in steps))
            raise UserError(f"no run is called {name}: choose from {runs}")
    return [step for step in steps if not names or step.run.startswith(tuple(names))]


def has_data(dataset: str, data_root: str) -> bool:
    """Whether a data set's pictures are there, or can be drawn."""
    data_set = dataset_named(dataset)
    folders = data_set.image_folders("test", data_root)
    return data_set.ensure is not None or any(folder.is_dir() for folder in folders)


def runnable(steps: Sequence[Step], places: Places, say: Callable[[str], object]) -> list[Step]:
    """The steps whose data are there, or can be drawn."""
    missing = [step for step in steps if not has_data(step.dataset, places.data_root)]
    if missing:
        named = ", ".join(sorted({step.dataset for step in missing}))
        say(f"notice: {places.data_root} has no images of {named}: {len(missing)} steps are left out")
    return [step for step in steps if step not in missing]


def left(steps: Sequence[Step], places: Places) -> list[Step]:
    """The steps that have no result yet."""
    return [step for step in steps if not result_path(places.save_root, step).is_file()]


def state(steps: Sequence[Step], places: Places) -> str:
    """A line per step, and how long the others will take."""
    todo = left(steps, places)
    lines = [f"{'todo' if step in todo else 'done'}  {step.run:<28} {step.result}" for step in steps]
    return "\n".join([*lines, summary(steps, todo)])


def summary(steps: Sequence[Step], todo: Sequence[Step]) -> str:
    """How much is done, and how long the others will take."""
    minutes = sum(step.minutes for step in todo)
    return f"{len(steps) - len(todo)} of {len(steps)} steps are done; the others take about {minutes:.0f} minutes"


def run(steps: Sequence[Step], places: Places, say: Callable[[str], object]) -> None:
    """Run the steps that are left, one after the other, each in a process of its own.

    Raises:
        UserError: a step failed; those before it are done and stay so.
    """
    todo = left(steps, places)
    say(f"{summary(steps, todo)} on one core")
    for number, step in enumerate(todo, start=1):
        words = places.words(step)
        say(f"[{number}/{len(todo)}] calm {' '.join(words)}")
        start = time.monotonic()
        done = subprocess.run([sys.executable, "-m", "calm", *words])
        if done.returncode:
            raise UserError(f"calm {' '.join(words)}: ended with {done.returncode}; the same command goes on from here")
        say(f"[{number}/{len(todo)}] took {(time.monotonic() - start) / 60:.1f} minutes")
