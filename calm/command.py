"""The console command ``calm``: every script and tool under one name."""

import importlib
import sys

from calm import errors
from calm.errors import UserError

COMMANDS = {
    "train": ("main", "train a network, or measure a checkpoint's accuracy"),
    "eval cue_location": ("eval_cue_location", "do two classes' maps differ where the classes do?"),
    "eval pixel_perturb": ("eval_pixel_perturb", "does the accuracy fall when the highest-ranked pixels are erased?"),
    "eval wsol": ("eval_wsol", "do the maps cover the object?"),
    "eval attribution": ("eval_attribution", "the metrics of the CAM literature"),
    "eval intervention": ("eval_intervention", "do maps find the parts whose change changes the prediction?"),
    "explain": ("explain", "a figure, the maps and a page for images"),
    "tables": ("make_tables", "the paper's tables, filled from run folders"),
    "experiments": ("experiments.__main__", "run what docs/results.md rests on, and write it"),
    "figures": ("make_figures", "the paper's figures"),
    "prepare": ("data_loaders.prepare.run", "a data set's metadata from its own files"),
    "synthbirds": ("data_loaders.synthbirds.generate", "draw SynthBirds"),
    "push": ("push", "share a run with a model card: on the Hugging Face hub, or as a folder"),
    "export": ("export", "a run as ONNX, TorchScript or pt2, its maps and probabilities as named outputs"),
    "zoo": ("networks.zoo.run", "list and fetch published weights"),
}
"""Command -> the module whose ``main`` it runs, and what that is for."""


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
    """Run a command and return its exit code."""
    if not words or words[0] in ("-h", "--help", "help"):
        print(usage())
        return 0
    name, rest = find(words)
    sys.argv = [f"calm {name}", *rest]  # the name that the command's --help goes by
    return importlib.import_module(f"calm.{COMMANDS[name][0]}").main(rest) or 0


def main() -> int:
    """Entry point of the console command."""
    return errors.run(lambda: run(sys.argv[1:]))
