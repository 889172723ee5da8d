"""The arithmetic a network runs in."""

from contextlib import AbstractContextManager

import torch


def autocast(device: torch.device, precision: str) -> AbstractContextManager:
    """bf16 autocast for ``precision="bf16"``, else nothing; heads and losses stay in float32 under it."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16")
