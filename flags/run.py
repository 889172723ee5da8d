"""Flags of a run: its folder, its checkpoint, its seed and its arithmetic."""

from calm.flags.flag import SCRIPTS, Flag, place_flag, training_flag
from calm.flags.values import boolean, natural, optional_seed

_CHECKPOINT = "run folder, checkpoint file, zoo:NAME or hf:OWNER/NAME; looked for as given, then under --save_root"
_OTHERS = tuple(script for script in SCRIPTS if script != "eval_attribution")

RUN = (
    place_flag(
        "experiment_name",
        str,
        "result",
        "name of the run folder under --save_root; an evaluation without it writes into the folder of its checkpoint",
        elsewhere=("name", "run_name"),
        on_resume="call",
        label=True,
    ),
    place_flag(
        "override_cache",
        boolean,
        False,
        "main.py: replace an earlier run of the same name",
        on_resume="call",
        trains=True,
    ),
    place_flag(
        "save_root", str, "save", "folder of the run folders", elsewhere=("output_dir", "out"), on_resume="call"
    ),
    place_flag(
        "workers",
        natural,
        4,
        "processes that load images (and, in eval_wsol.py, score maps)",
        elsewhere=("num_workers",),
        on_resume="free",
    ),
    place_flag("use_load_checkpoint", boolean, False, "as released; --load_checkpoint alone is enough"),
    Flag("load_checkpoint", str, None, _CHECKPOINT, scripts=_OTHERS, label=True),
    Flag(
        "load_checkpoint",
        str,
        None,
        f"{_CHECKPOINT}; several with commas between them",
        scripts=("eval_attribution",),
        label=True,
    ),
    training_flag(
        "is_different_checkpoint",
        boolean,
        False,
        "main.py: start from another task's checkpoint, without its conv_last",
    ),
    Flag(
        "seed",
        optional_seed,
        None,
        "fixes everything random; without it main.py chooses a seed and records it, an evaluation takes 0",
        label=True,
    ),
    place_flag(
        "seeds",
        natural,
        None,
        "in place of --seed: train a run for each of these, named <experiment_name>_seed0 and so on; finished ones are "
        "kept and unfinished ones resumed; then mean and spread of their accuracies",
        many=True,
        on_resume="call",
        trains=True,
        scripts=("main",),
    ),
    Flag(
        "precision",
        str,
        "fp32",
        "arithmetic of the trunk, auto is bf16 on a GPU that has it; head and loss stay in float32",
        ("fp32", "bf16", "auto"),
        elsewhere=("amp", "fp16"),
    ),
    place_flag(
        "tf32",
        boolean,
        False,
        "on a GPU: products of float32 with 10 bits of mantissa; always so beside bf16",
        on_resume="free",
    ),
    place_flag(
        "deterministic",
        boolean,
        False,
        "on a GPU: the same result for the same seed, and not the fastest kernels",
        on_resume="free",
    ),
    place_flag(
        "channels_last",
        boolean,
        None,
        "lay out images with the channels last; other kernels, rounded otherwise (default: on a GPU)",
        on_resume="free",
    ),
    place_flag("compile", boolean, False, "torch.compile the network", on_resume="free"),
)
