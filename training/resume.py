"""The continuation of a run: its last checkpoint, and the flags it was started with."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from calm import distributed
from calm.errors import UserError
from calm.flags import Config, checked, flags_of
from calm.networks.checkpoint_files import read_checkpoint
from calm.runs import LAST, run_folder
from calm.training.run import CONFIG

STATE = {"config": Mapping, "optimizer": Mapping, "epoch": int, "best_accuracy": float, "class_names": list}
"""What a checkpoint must hold for a run to go on from it, beside its weights."""
ReadConfig = Callable[[Path], Mapping[str, Any]]
"""File config.yaml -> flags of main.py, each checked."""


def resumed(args: Config, read_config: ReadConfig) -> tuple[Config, dict[str, Any] | None]:
    """The flags with which the run of ``args`` goes on, and its last checkpoint, None where it has none yet.

    A run that ended before its first checkpoint starts again with the flags, and the seed, of its config.yaml.
    """
    last = run_folder(args) / LAST
    if last.is_file():
        stored = read_checkpoint(last)
        for entry, kind in STATE.items():
            if not isinstance(stored.get(entry), kind):
                raise UserError(
                    f"`resume`: {last} has no {entry} that a run could go on with; start from it with "
                    f"`load_checkpoint`={last} under another `experiment_name`"
                )
        return with_the_run_s_own(args, checked(stored["config"], f"`resume`: {last}"), last), stored
    written = last.with_name(CONFIG)
    args = with_the_run_s_own(args, read_config(written), written)
    distributed.print0(f"notice: no checkpoint in {last.parent} yet, the run starts again")
    return args.replaced(resume=False), None


def with_the_run_s_own(args: Config, stored: Mapping[str, Any], source: Path) -> Config:
    """``args`` with the flags that are stored in ``source``; one given with another value should be free to change."""
    own = {}
    for name, value in stored.items():
        flag = flags_of().get(name)
        if flag is None or flag.on_resume == "call" or (flag.on_resume == "free" and name in args.given):
            continue
        if name in args.given and args[name] != value:
            raise UserError(f"`resume`: `{name}`={args[name]} differs from {value} in {source}; leave it out")
        own[name] = value
    return args.replaced(**own)
