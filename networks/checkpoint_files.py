"""Files of checkpoints, ours, the released ones and stock classifiers': found, and read without running code."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from calm.errors import UserError
from calm.networks.shared_files import CONFIG, WEIGHTS, hub_file, is_hub_name, read_shared
from calm.networks.tensor_files import read_tensors
from calm.networks.weight_files import is_state_dict, plain_names, read_state
from calm.networks.zoo.files import fetched_file

FILE_NAME = "last_checkpoint.pth.tar"
FORMAT_VERSION = 1
"""Newest layout of our checkpoints that this code reads."""
WEIGHTS_ALONE = "model"
"""Entry under which torchvision's training script keeps the state dict."""


def locate_checkpoint(name: str | Path, *, save_root: str | Path | None = None) -> Path:
    """The checkpoint file for a folder (its last checkpoint, else its model.safetensors), a file, "zoo:NAME" or
    "hf:OWNER/NAME".

    Args:
        name: tried as given, then under ``save_root``.
        save_root: folder of the runs, or None.

    Raises:
        UserError: nothing is there.
    """
    if str(name).startswith("zoo:"):
        return fetched_file(str(name).removeprefix("zoo:"))
    if is_hub_name(str(name)):
        return hub_file(str(name))
    candidates = [Path(name)] + ([] if save_root is None else [Path(save_root) / name])
    files = [file for path in candidates for file in ([path / FILE_NAME, path / WEIGHTS] if path.is_dir() else [path])]
    for file in files:
        if file.is_file():
            return file
    places = ", ".join(dict.fromkeys(map(str, files)))
    raise UserError(f"`load_checkpoint`={name}: no checkpoint there (looked for {places})")


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """Content of a checkpoint file; tensors and plain values only, no code is ever run. Parameter names are plain.

    Raises:
        UserError: missing, truncated, foreign or code-carrying file, or one from a newer version.
    """
    path = Path(path)
    content = _content(path)
    if not isinstance(content, Mapping) or not is_state_dict(content.get("state_dict")):
        raise UserError(f"{path}: not a checkpoint, since it has no 'state_dict' entry of names and tensors")
    version = content.get("format_version", FORMAT_VERSION)
    if not isinstance(version, int) or version > FORMAT_VERSION:
        raise UserError(f"{path}: written by a newer version of this code (format {version}); update to read it")
    if not isinstance(content.get("config") or {}, Mapping):
        raise UserError(f"{path}: its 'config' entry is not a mapping of flags to values")
    class_names = content.get("class_names")
    if class_names is not None and not (
        isinstance(class_names, (list, tuple)) and all(isinstance(name, str) for name in class_names)
    ):
        raise UserError(f"{path}: its 'class_names' entry is not a list of names")
    return {**content, "state_dict": plain_names(content["state_dict"])}


def _content(path: Path) -> Any:
    """What a file holds; a state dict alone, as stock classifiers come, counts as the only entry of a checkpoint."""
    if path.suffix == ".safetensors":
        is_ours = path.with_name(CONFIG).is_file() or path.name == WEIGHTS
        return read_shared(path) if is_ours else {"state_dict": read_state(path)}
    content = read_tensors(path)
    if is_state_dict(content):
        return {"state_dict": content}
    alone = content.get(WEIGHTS_ALONE) if isinstance(content, Mapping) and "state_dict" not in content else None
    return {"state_dict": alone} if is_state_dict(alone) else content
