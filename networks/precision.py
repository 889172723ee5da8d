"""The arithmetic a network runs in, and how its tensors lie in memory."""

from contextlib import AbstractContextManager
from typing import Any, TypeVar

import torch
from torch import nn

Module = TypeVar("Module", bound=nn.Module)


def autocast(device: torch.device, precision: str) -> AbstractContextManager:
    """bf16 autocast for ``precision="bf16"``, else nothing; heads and losses stay in float32 under it."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16")


def settle_arithmetic(device: torch.device, precision: str, *, deterministic: bool, tf32: bool) -> str:
    """Set how this process computes on a GPU; on a CPU there is nothing to set.

    Args:
        device: of the network.
        precision: "fp32", "bf16" or "auto".
        deterministic: the same kernels in every run, of those that add in a fixed order where there are such; else
            cuDNN tries its kernels on the first batch and takes the fastest.
        tf32: products of float32 numbers with 10 bits of mantissa, on the cards that have them; always beside bf16,
            whose heads in float32 would else take as long as its trunk.

    Returns:
        "bf16" or "fp32"; "auto" is bf16 on a GPU that computes in it.
    """
    if precision == "auto":
        is_fit = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
        precision = "bf16" if is_fit else "fp32"
    if device.type == "cuda":
        products = "tf32" if tf32 or precision == "bf16" else "ieee"
        torch.backends.cudnn.benchmark = not deterministic
        torch.backends.cudnn.deterministic = deterministic
        torch.use_deterministic_algorithms(deterministic, warn_only=True)
        torch.backends.cuda.matmul.fp32_precision = products
        cudnn: Any = torch.backends.cudnn  # its stubs do not know that convolutions have a precision
        cudnn.conv.fp32_precision = products
    return precision


def laid_out(network: Module, device: torch.device, channels_last: bool | None) -> Module:
    """The network on the device, its weights with the channels last where asked for; None asks for it on a GPU."""
    if device.type == "cuda" if channels_last is None else channels_last:
        move: Any = network.to  # its stubs do not know the layout alone
        move(memory_format=torch.channels_last)
    return network.to(device)
