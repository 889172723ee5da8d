"""Files of ``torch.save``: written with digests, read whole or not at all, and without running code."""

import hashlib
import io
import pickle
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

from calm.atomic import replacing
from calm.errors import UserError

DIGESTS = "digests"
"""Entry of our own files: name of every other entry -> its hash. An entry may be taken out, but not changed."""


def digest_of(content: Any) -> str:
    """SHA-256 of every name, number, word and tensor in ``content``, in order."""
    total = hashlib.sha256()

    def add(value: Any) -> None:
        if isinstance(value, Tensor):
            total.update(f"tensor {value.dtype} {tuple(value.shape)};".encode())
            total.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
        elif isinstance(value, Mapping):
            total.update(f"mapping {len(value)};".encode())
            for key, item in value.items():
                add(key)
                add(item)
        elif isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
            total.update(f"sequence {len(value)};".encode())
            for item in value:
                add(item)
        else:
            total.update(f"{type(value).__name__} {value!r};".encode("utf-8", "surrogatepass"))

    add(content)
    return total.hexdigest()


def check_digests(path: Path, content: Any) -> None:
    """Raise a ``UserError`` if an entry of one of our own files is not what was written."""
    digests = content.get(DIGESTS) if isinstance(content, Mapping) else None
    if not isinstance(digests, Mapping):
        return
    for name, digest in digests.items():
        if name in content and digest_of(content[name]) != digest:
            raise UserError(f"{path}: damaged, its {name} differs from its digest; take another copy")


def write_tensors(path: Path, content: Mapping[str, Any]) -> None:
    """Write a file of ``torch.save`` atomically, with the digests of its entries.

    Raises:
        UserError: the place is full, read-only or gone; an earlier file of the name is whole.
    """
    entries = {name: value for name, value in content.items() if name != DIGESTS}
    whole = {**entries, DIGESTS: {name: digest_of(value) for name, value in entries.items()}}
    try:
        with replacing(path) as temporary:
            torch.save(whole, temporary)
    except RuntimeError as error:  # how torch's writer says that the system takes no more
        reason = str(error).split("\n")[0]
        raise UserError(f"{path} cannot be written ({reason}); an earlier file of the name is whole") from error


def check_zip(path: Path, file: BinaryIO) -> None:
    """Compare every part of a zip file, as torch.save writes them, with its checksum, which torch.load does not.

    Args:
        path: of the file, for the error.
        file: its content; another kind of file is left alone.

    Raises:
        UserError: a part differs.
    """
    try:
        if not zipfile.is_zipfile(file):
            return
        with zipfile.ZipFile(file) as parts:
            damaged = parts.testzip()
    except (zipfile.BadZipFile, OSError, EOFError, ValueError, NotImplementedError, RuntimeError) as error:
        raise UserError(f"{path}: damaged ({error}); fetch or copy it again") from error
    if damaged is not None:
        raise UserError(f"{path}: damaged, its part {damaged} differs from its checksum; fetch or copy it again")


def read_tensors(path: Path) -> Any:
    """Content of a file of ``torch.save``: plain containers, numbers, text and tensors; nothing else is ever built.

    Raises:
        UserError: missing, truncated, changed or foreign file, or one whose pickle asks for other objects or for code.
    """
    if not path.is_file():
        raise UserError(f"{path}: {'a folder, not a file' if path.is_dir() else 'no such file'}")
    try:
        file = io.BytesIO(path.read_bytes())  # once, so that what is checked is what is used
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror})") from error
    check_zip(path, file)
    file.seek(0)
    content = _load(path, file)
    check_digests(path, content)
    return content


def _load(path: Path, file: BinaryIO) -> Any:
    try:
        with warnings.catch_warnings():  # about the pickle's protocol: of no use to somebody with a damaged file
            warnings.simplefilter("ignore", UserWarning)
            return torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if any(sign in str(error) for sign in ("GLOBAL", "Unsupported global", "Unsupported class")):
            raise UserError(
                f"{path}: refused, since reading it would run code or build objects other than tensors and plain "
                "values; ask its author for a file that holds a state dict only"
            ) from error
        raise UserError(f"{path}: damaged, or not a file of torch.save; fetch or copy it again") from error
    except (
        RuntimeError,
        EOFError,
        OSError,
        ValueError,
        LookupError,
        AttributeError,
        TypeError,
        RecursionError,
    ) as error:
        raise UserError(f"{path}: truncated, damaged or no file of torch.save; fetch or copy it again") from error
