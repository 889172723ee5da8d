"""The flags behind a number: which of them can change it, and the words in which a table tells them."""

import re
from collections.abc import Collection, Hashable, Mapping
from pathlib import Path
from typing import Any

from calm.evaluation.idle_flags import idle_flags
from calm.flags import default_of, flags_of, names
from calm.flags.flag import Flag
from calm.networks.checkpoint_files import FILE_NAME

EVALUATION_PRECISION = "evaluation_precision"
"""A setting of its own: the arithmetic in which a number was measured, beside that of the training."""
STARTS_FROM = "starts_from"
"""Another: the checkpoint that the training started from, where it did not start from ImageNet or first weights."""

DATA = "data"
"""A third: which images and classes a number is about, where its results file says it."""

SCRIPTS_OF = {"accuracy": "main"}
"""Evaluation -> the script that makes it, where that is not eval_<evaluation>."""


def places() -> set[str]:
    """Flags that say where and how fast, not what."""
    return set(names(role="place", label=False))


def settings_of(
    trained: Mapping[str, Any], flags: Mapping[str, Any], *, evaluation: str, method: str, attribution: str | None
) -> dict[str, Any]:
    """What can change this number: the flags of the training, then those of the evaluation and its map.

    Args:
        trained: flags of the training; empty where they are not known.
        flags: those of the evaluation, which hold the checkpoint's too.
        evaluation: accuracy, cue_location, pixel_perturb, wsol or attribution.
        method: the network's training method.
        attribution: our name of the map; None where the network alone is evaluated.
    """
    of_maps, evaluated = set(names(role="map")), set(names(stated=True))
    trained = _completed(trained, flags_of("main")) if trained else {}
    settings = {key: value for key, value in trained.items() if key not in of_maps}
    if start := trained.get("load_checkpoint"):
        settings[STARTS_FROM] = re.sub(r"_s(eed)?\d+(?=/|$)", "", start_of(start).removeprefix("save/"))  # of any seed
    if attribution is not None:
        evaluated |= of_maps
    taken = flags_of(SCRIPTS_OF.get(evaluation, f"eval_{evaluation}"))
    known = _completed({**settings, **flags}, taken)
    settings |= {key: value for key, value in known.items() if key in evaluated & taken.keys()}
    if "precision" in flags:
        settings[EVALUATION_PRECISION] = flags["precision"]
    idle = places() | set(names(label=True)) | idle_flags(settings, evaluation, method, attribution)
    return {key: value for key, value in settings.items() if key not in idle}


def data_of(content: Mapping[str, Any]) -> dict[str, str]:
    """The setting ``DATA`` of a results file, "24 images of 4 classes (list 1a2b3c4d)"; none of one that lacks it."""
    if (data := content.get("data")) is None:
        return {}
    return {DATA: f"{data['num_images']} images of {data['num_classes']} classes (list {data['sha256'][:8]})"}


def key_of(settings: Mapping[str, Any]) -> Hashable:
    """The same for equal settings, also where a number is written 10 in one and 10.0 in the other."""
    plain = ((name, tuple(value) if isinstance(value, list) else value) for name, value in settings.items())
    return tuple(sorted(plain, key=lambda item: item[0]))


def start_of(checkpoint: str) -> str:
    """What ``load_checkpoint`` of a training names, without its place: "/x/cam_seed0/" -> "save/cam_seed0"."""
    path = Path(checkpoint)
    if checkpoint.startswith(("zoo:", "hf:")):
        return checkpoint
    if path.suffix not in (".tar", ".pth", ".pt", ".safetensors"):
        return f"save/{path.name}"
    return f"save/{path.parent.name}" + ("" if path.name == FILE_NAME else f"/{path.name}")


def _completed(given: Mapping[str, Any], flags: Mapping[str, Flag]) -> dict[str, Any]:
    """The flags of a run, those of ``flags`` that are younger among them, at what leaves it as it was."""
    known = {name: flag.absent for name, flag in flags.items() if flag.absent is not None} | dict(given)
    return {name: default_of(name, flags, known) for name in flags} | known


def in_words(settings: Mapping[str, Any], *, leave_out: Collection[str] = ()) -> str:
    """Those that are not the default, in the order of the flags: "ReLU prior, epochs=6"; the trunk in any case.

    Args:
        settings: all of a result's, since the default of one may follow from another.
        leave_out: names of those to pass over.
    """
    flags = flags_of()
    flags |= {EVALUATION_PRECISION: flags["precision"], STARTS_FROM: flags["load_checkpoint"]}
    flags |= {DATA: Flag(DATA, str, None, "not said")}
    return ", ".join(
        flag.words.get(str(settings[key]), f"{key}={settings[key]}")
        for key, flag in flags.items()
        if key in settings
        and key not in leave_out
        and (key == "architecture" or settings[key] != _usual(key, flags, settings))
    )


def _usual(name: str, flags: Mapping[str, Flag], settings: Mapping[str, Any]) -> Any:
    """The default of a flag, given the other settings; one that is not among them has no say in it."""
    others = {key: value for key, value in settings.items() if key != name}
    return default_of(name, {key: flag for key, flag in flags.items() if key in settings}, others)
