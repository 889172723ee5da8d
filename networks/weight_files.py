"""State dicts: read from a file, and compared with a network before anything is copied."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from calm.errors import UserError
from calm.networks.tensor_files import read_tensors

WRAPPERS = ("module", "_orig_mod")
"""What DistributedDataParallel, AveragedModel and torch.compile put before, or into, a parameter's name."""
COUNTERS = ("n_averaged",)
"""Entries of wrappers that are no parameters."""


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
    wanted.update({name: state[name] for name in wanted if name in state})  # it carries the layout's version
    module.load_state_dict(wanted)
    return absent
