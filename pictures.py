"""Pictures of images and their maps: the two palettes, a map over its image, and files."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib import colormaps, rcParams
from matplotlib.colors import Colormap, LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.text import Text
from torch import Tensor

from calm.atomic import replacing

SEQUENTIAL: Colormap = colormaps["viridis"]
"""Safe for colour-vision deficiencies, as is the other."""
DIVERGING: Colormap = LinearSegmentedColormap.from_list(
    "blue_white_red",
    ["#053061", "#2166ac", "#4393c3", "#92c5de", "#ffffff", "#f4a582", "#d6604d", "#b2182b", "#67001f"],
    N=257,
)
"""Red above zero, blue below, zero exactly white: an odd number of colours has a middle one."""
METADATA = {".png": {"Software": None}, ".pdf": {"CreationDate": None}}
"""Suffix -> what matplotlib shall leave out, so that the same figure gives the same file."""


def colour_table(palette: Colormap) -> np.ndarray:
    """[N,3] uint8, the palette's colours in order."""
    return (palette(np.arange(palette.N))[:, :3] * 255).round().astype(np.uint8)


def to_rgb(image: Tensor, mean: Sequence[float], std: Sequence[float]) -> np.ndarray:
    """[3,H,W] normalised image -> [H,W,3] uint8."""
    pixels = image.detach().cpu() * torch.tensor(std)[:, None, None] + torch.tensor(mean)[:, None, None]
    return (pixels.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()


def overlay(rgb: np.ndarray, score_map: np.ndarray, *, opacity: float = 0.8, signed: bool = False) -> np.ndarray:
    """[H,W,3] uint8 and [H,W] in [0,1] -> [H,W,3] uint8: the map's colour, the more opaque the higher the score.

    A signed map lies in [-1,1]; it is red above zero and blue below.
    """
    colour = (DIVERGING((score_map + 1) / 2) if signed else SEQUENTIAL(score_map))[..., :3] * 255
    weight = opacity * np.sqrt(np.clip(np.abs(score_map) if signed else score_map, 0, 1))[..., None]
    return (rgb * (1 - weight) + colour * weight).round().astype(np.uint8)


def as_written(figure: Figure) -> Figure:
    """The figure, its text to be drawn letter for letter: matplotlib takes ``$5 vs $6`` in a name for mathematics."""
    for text in figure.findobj(Text):
        text.set_parse_math(False)
    return figure


def save_figure(figure: Figure, path: str | Path, *, dpi: int = 110) -> None:
    """Write a figure atomically, its text as it is written and its margins cut; the suffix chooses the format.

    ``bbox_inches="tight"`` draws a figure twice, the first time to find its margins, which only a layout engine, or
    another format's own letters, need.
    """
    as_written(figure).set_dpi(dpi)
    with replacing(path) as temporary:
        box: Any = "tight"
        if temporary.suffix == ".png" and figure.get_layout_engine() is None:
            box = figure.get_tightbbox().padded(rcParams["savefig.pad_inches"])
        figure.savefig(temporary, dpi=dpi, bbox_inches=box, metadata=METADATA.get(temporary.suffix))
