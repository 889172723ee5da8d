"""Files of tensors: found, read without running code, and compared with a network before anything is copied."""

import hashlib
import pickle
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from calm.atomic import replacing
from calm.errors import UserError

WRAPPERS = ("module", "_orig_mod")
"""What DistributedDataParallel, AveragedModel and torch.compile put before, or into, a parameter's name."""
COUNTERS = ("n_averaged",)
"""Entries of wrappers that are no parameters."""


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


def check_zip(path: Path) -> None:
    """Compare every part of a zip file, as torch.save writes them, with its checksum, which torch.load does not.

    Raises:
        UserError: a part differs.
    """
    try:
        if not zipfile.is_zipfile(path):
            return
        with zipfile.ZipFile(path) as parts:
            damaged = parts.testzip()
    except (zipfile.BadZipFile, OSError, EOFError, ValueError, NotImplementedError, RuntimeError) as error:
        raise UserError(f"{path}: damaged ({error}); fetch or copy it again") from error
    if damaged is not None:
        raise UserError(f"{path}: damaged, its part {damaged} differs from its checksum; fetch or copy it again")


def read_tensors(path: Path, device: str | torch.device = "cpu") -> Any:
    """Content of a file of ``torch.save``: plain containers, numbers, text and tensors; nothing else is ever built.

    Raises:
        UserError: missing, truncated, changed or foreign file, or one whose pickle asks for other objects or for code.
    """
    if not path.is_file():
        raise UserError(f"{path}: {'a folder, not a file' if path.is_dir() else 'no such file'}")
    check_zip(path)
    content = _load(path, device)
    check_digests(path, content)
    return content


def _load(path: Path, device: str | torch.device) -> Any:
    try:
        with warnings.catch_warnings():  # about the pickle's protocol: of no use to somebody with a damaged file
            warnings.simplefilter("ignore", UserWarning)
            return torch.load(path, map_location=device, weights_only=True)
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


def plain_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state dict without the prefixes of wrappers, and without those entries that are not tensors' names."""
    plain = {}
    for name, tensor in state.items():
        words = [word for word in name.split(".") if word != WRAPPERS[1]]
        while len(words) > 1 and words[0] == WRAPPERS[0]:
            del words[0]
        if name not in COUNTERS:
            plain[".".join(words)] = tensor
    return plain


def is_state_dict(content: Any) -> bool:
    """Whether ``content`` maps text to tensors."""
    return (
        isinstance(content, Mapping)
        and bool(content)
        and all(isinstance(name, str) and isinstance(value, Tensor) for name, value in content.items())
    )


def first_not_finite(state: Mapping[str, Tensor]) -> str | None:
    """Name of the first tensor with a NaN or an infinity; None if all are finite."""
    return next((name for name, tensor in state.items() if not bool(tensor.isfinite().all())), None)


def read_state(path: Path) -> dict[str, Tensor]:
    """Plain names -> tensors of a file that holds a state dict, alone or as a checkpoint's entry."""
    if path.suffix == ".safetensors" and path.is_file():
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            return load_file(path)
        except SafetensorError as error:
            raise UserError(f"{path}: damaged, or not a safetensors file; fetch or copy it again") from error
    content = read_tensors(path)
    state = content["state_dict"] if isinstance(content, Mapping) and "state_dict" in content else content
    if not is_state_dict(state):
        raise UserError(f"{path}: holds no state dict, that is names mapped to tensors; give a file of weights")
    return plain_names(state)


def is_counter(name: str) -> bool:
    """Batch norm's step counter: absent from old files, without effect on us."""
    return name.endswith("num_batches_tracked")


def check_fit(
    wanted: Mapping[str, Tensor],
    state: Mapping[str, Tensor],
    *,
    source: str,
    hint: str,
    new: tuple[str, ...] = (),
    ignore_surplus: bool = False,
) -> list[str]:
    """Compare names and shapes with those that are ``wanted``; arguments, result and error as of ``copy_weights``."""
    for name, tensor in wanted.items():
        if name in state and state[name].shape != tensor.shape:
            raise UserError(
                f"{source}: {name} has shape {list(state[name].shape)}, the network needs {list(tensor.shape)}; {hint}"
            )
    absent = [name for name in wanted if name not in state and not is_counter(name)]
    missing = [name for name in absent if not name.startswith(new or ("\0",))]
    surplus = [] if ignore_surplus else [name for name in state if name not in wanted]
    if missing or surplus:
        parts = [f"lacks {len(missing)} of the network's tensors ({missing[0]}, ...)"] if missing else []
        parts += [f"holds {len(surplus)} tensors that the network has not ({surplus[0]}, ...)"] if surplus else []
        raise UserError(f"{source}: {' and '.join(parts)}; {hint}")
    return absent


def copy_weights(
    module: nn.Module,
    state: Mapping[str, Tensor],
    *,
    source: str,
    hint: str,
    new: tuple[str, ...] = (),
    ignore_surplus: bool = False,
) -> list[str]:
    """Copy ``state`` into ``module``; nothing is copied unless everything fits.

    Args:
        module: network or trunk.
        state: plain names -> tensors.
        source: file or address, for the error message.
        hint: what the user may do when it does not fit.
        new: beginnings of names that may be absent from ``state``.
        ignore_surplus: tensors that the module lacks are left aside.

    Returns:
        Names in the module that kept their values, batch norm's counters aside.

    Raises:
        UserError: a tensor is missing, superfluous or has another shape.
    """
    wanted = module.state_dict()
    absent = check_fit(wanted, state, source=source, hint=hint, new=new, ignore_surplus=ignore_surplus)
    module.load_state_dict({name: state[name] for name in wanted if name in state}, strict=False)
    return absent
