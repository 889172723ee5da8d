"""Networks in the Hugging Face layout: model.safetensors, and config.json with the flags and the class names beside it.

``hf:OWNER/NAME`` (or ``hf:OWNER/NAME@REVISION``) names one on the hub, whose files are kept in $CALM_HOME/hf.
"""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from calm.atomic import replacing, write_text
from calm.errors import UserError, require
from calm.networks.tensor_files import DIGESTS, check_digests, digest_of
from calm.networks.weight_files import read_state
from calm.networks.zoo.files import default_folder

PREFIX = "hf:"
WEIGHTS, CONFIG = "model.safetensors", "config.json"
TENSORS = "state_dict"
"""Entry of a checkpoint that model.safetensors holds; all others are in config.json."""


def write_shared(folder: Path, content: Mapping[str, Any]) -> None:
    """Write a checkpoint's content, its "state_dict" as safetensors, what else it says (plain values) as JSON."""
    require("safetensors", extra="hub")
    from safetensors.torch import save_file

    tensors = {name: tensor.contiguous() for name, tensor in sorted(content[TENSORS].items())}
    with replacing(folder / WEIGHTS) as temporary:
        save_file(tensors, temporary)
    said = {name: value for name, value in content.items() if name != TENSORS}
    digests = {TENSORS: digest_of(tensors)}
    write_text(folder / CONFIG, json.dumps({"library_name": "calm", **said, DIGESTS: digests}, indent=1) + "\n")


def read_shared(weights: Path) -> dict[str, Any]:
    """The content of a checkpoint in this layout, as ``tensor_files.read_tensors`` gives it of ours.

    Raises:
        UserError: a file is away, damaged, or of another layout, or safetensors is not installed.
    """
    require("safetensors", extra="hub")
    config = weights.with_name(CONFIG)
    if not config.is_file():
        raise UserError(f"{weights}: there is no {CONFIG} beside it, which says what network the weights are of")
    try:
        said = json.loads(config.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{config}: damaged, not JSON; fetch or copy it again") from error
    if not isinstance(said, Mapping) or not isinstance(said.get("config"), Mapping):
        raise UserError(f"{config}: no network of this code, since it has no 'config' entry of flags to values")
    content = {**said, TENSORS: dict(sorted(read_state(weights).items()))}
    check_digests(weights, content)
    return content


def is_hub_name(name: str) -> bool:
    """Whether a name of a checkpoint is that of a repository on the hub."""
    return name.startswith(PREFIX)


def hub_address() -> str | None:
    """Address of the hub: $HF_ENDPOINT, or None for Hugging Face's."""
    return os.environ.get("HF_ENDPOINT") or None


def hub_file(name: str) -> Path:
    """The weights of ``hf:OWNER/NAME[@REVISION]``, fetched where the hub has others than are here.

    Raises:
        UserError: huggingface_hub is not installed, or there is no such repository, or it holds no network of ours.
    """
    require("huggingface_hub", extra="hub")
    from huggingface_hub import snapshot_download
    from huggingface_hub.utils import disable_progress_bars

    if not sys.stderr.isatty():  # in a log file a bar is a line of carriage returns
        disable_progress_bars()
    repository, _, revision = name.removeprefix(PREFIX).partition("@")
    if repository.count("/") != 1 or not all(repository.split("/")):
        raise UserError(f"{name}: name the repository as {PREFIX}OWNER/NAME")
    folder = default_folder() / "hf" / f"{repository}{'@' + revision if revision else ''}"
    try:
        snapshot_download(
            repository,
            revision=revision or None,
            local_dir=folder,
            allow_patterns=[WEIGHTS, CONFIG],
            endpoint=hub_address(),
        )
    except Exception as error:  # the hub's errors, those of its HTTP library, and ValueError for a name it refuses
        if not (folder / WEIGHTS).is_file():
            reason = " ".join(str(error).split())
            raise UserError(f"{name} cannot be had ({type(error).__name__}: {reason[:200]})") from error
    if not (folder / WEIGHTS).is_file():
        raise UserError(f"{name}: this repository holds no {WEIGHTS}")
    return folder / WEIGHTS
