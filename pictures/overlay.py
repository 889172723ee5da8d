"""Pixels of a normalised image, and a map over them that is the more opaque the higher it is."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from calm.pictures.palettes import DIVERGING, SEQUENTIAL, coloured


def to_rgb(image: Tensor, mean: Sequence[float], std: Sequence[float]) -> np.ndarray:
    """[3,H,W] normalised image -> [H,W,3] uint8."""
    pixels = image.detach().cpu() * torch.tensor(std)[:, None, None] + torch.tensor(mean)[:, None, None]
    return (pixels.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()


def overlay(rgb: np.ndarray, score_map: np.ndarray, *, opacity: float = 0.8, signed: bool = False) -> np.ndarray:
    """[H,W,3] uint8 and [H,W] in [0,1] -> [H,W,3] uint8: the map's colour, the more opaque the higher the score.

    A signed map lies in [-1,1]; it is red above zero and blue below.
    """
    colour = coloured((score_map + 1) / 2, DIVERGING) if signed else coloured(score_map, SEQUENTIAL)
    weight = opacity * np.sqrt(np.clip(np.abs(score_map) if signed else score_map, 0, 1))[..., None]
    return (rgb * (1 - weight) + colour * weight).round().astype(np.uint8)
