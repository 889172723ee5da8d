"""ImageNet weights that torchvision publishes, kept in torch.hub's folder, and the check of a file's hash."""

import http.client
from pathlib import Path

import torch

from calm.atomic import sha256
from calm.errors import UserError
from calm.networks.zoo.entries import IMAGENET

WAY_OUT = "fetch that file elsewhere and name it with `pretrained_path`, or give `pretrained`=False"


def fetch_torchvision(name: str) -> Path:
    """Path of the zoo's entry ``name`` in torch.hub's folder, downloaded where missing; its name begins its hash."""
    entry = IMAGENET[name]
    target = Path(torch.hub.get_dir()) / "checkpoints" / entry.file_name
    try:
        if not target.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(entry.address, str(target), hash_prefix=entry.sha256_prefix)
    except RuntimeError as error:
        raise UserError(f"{entry.address}: the download's hash is wrong; try again, or {WAY_OUT}") from error
    except (OSError, http.client.HTTPException) as error:
        raise UserError(
            f"the ImageNet weights of {name} cannot be fetched from {entry.address} ({error}): {WAY_OUT}"
        ) from error
    check_hash(target, entry.sha256_prefix)
    return target


def check_hash(path: Path, prefix: str) -> None:
    """Raise a ``UserError`` unless the file's sha256 begins with ``prefix``."""
    if not sha256(path).startswith(prefix):
        raise UserError(f"{path}: damaged (its sha256 does not begin with {prefix}); delete it and try again")
