"""The console command ``calm``: every script and tool under one name, run as Python would run its file."""

import runpy
import sys
from pathlib import Path

from calm import errors
from calm.errors import UserError

FOLDER = Path(errors.__file__).resolve().parent
"""Where the scripts lie: the checkout's root, or the installed package."""

COMMANDS = {
    "train": ("main", "train a network, or measure a checkpoint's accuracy"),
    "eval cue_location": ("eval_cue_location", "do two classes' maps differ where the classes do?"),
    "eval pixel_perturb": ("eval_pixel_perturb", "does the accuracy fall when the highest-ranked pixels are erased?"),
    "eval wsol": ("eval_wsol", "do the maps cover the object?"),
    "eval attribution": ("eval_attribution", "the metrics of the CAM literature"),
    "explain": ("explain", "a figure, the maps and a page for images"),
    "tables": ("make_tables", "the paper's tables, filled from run folders"),
    "figures": ("make_figures", "the paper's figures"),
    "prepare": ("calm.data_loaders.prepare", "a data set's metadata from its own files"),
    "synthbirds": ("calm.data_loaders.synthbirds", "draw SynthBirds"),
    "zoo": ("calm.networks.zoo", "list and fetch published weights"),
}
"""Command -> the script or package that it runs, and what that is for."""


def usage() -> str:
    """What --help prints."""
    lines = [f"  calm {name:<20}{about}" for name, (_, about) in COMMANDS.items()]
    return "\n".join(["usage: calm COMMAND [--help | --FLAG=VALUE ...]", "", *lines])


def find(words: list[str]) -> tuple[str, list[str]]:
    """The command that the first one or two words name, and the words left for it.

    Raises:
        UserError: they name none.
    """
    for count in (2, 1):
        if (name := " ".join(words[:count])) in COMMANDS:
            return name, words[count:]
    kinds = [name.removeprefix("eval ") for name in COMMANDS if name.startswith("eval ")]
    if words[0] == "eval":
        raise UserError(f"calm eval: name what to evaluate, one of {', '.join(kinds)}")
    raise UserError(f"calm {words[0]}: no such command; choose from {', '.join(COMMANDS)}")


def run(words: list[str]) -> int:
    """Run a command; what it runs ends the process with its own exit code."""
    if not words or words[0] in ("-h", "--help", "help"):
        print(usage())
        return 0
    name, rest = find(words)
    target, _ = COMMANDS[name]
    sys.argv = [f"calm {name}", *rest]
    if "." in target:
        runpy.run_module(target, run_name="__main__", alter_sys=True)
    else:
        runpy.run_path(str(FOLDER / f"{target}.py"), run_name="__main__")
    return 0


def main() -> int:
    """Entry point of the console command."""
    return errors.run(lambda: run(sys.argv[1:]))
