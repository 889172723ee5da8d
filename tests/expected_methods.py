"""Inputs by formula, and the expected values of the training methods and maps computed from them."""

import json
from pathlib import Path

import torch
from torch import Tensor


def form(shape: tuple[int, ...], a: float, b: float, scale: float = 1.0) -> Tensor:
    """scale * sin(a*i + b) over the row-major index i, float64."""
    index = torch.arange(torch.Size(shape).numel(), dtype=torch.float64)
    return (scale * torch.sin(a * index + b)).view(shape)


def values(expected: Path, name: str) -> dict:
    """Content of the expected values' file ``name``."""
    return json.loads((expected / "methods" / f"{name}.json").read_text())


def assert_near(ours: Tensor, theirs) -> None:
    """Equal to 1e-6 relative (the files have ten decimals)."""
    torch.testing.assert_close(ours.detach(), torch.tensor(theirs, dtype=torch.float64), rtol=1e-6, atol=1e-9)
