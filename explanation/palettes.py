"""Colours of figures and pages, safe for colour-vision deficiencies: one sequential palette, one around zero."""

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import Colormap, LinearSegmentedColormap

SEQUENTIAL: Colormap = colormaps["viridis"]
DIVERGING: Colormap = LinearSegmentedColormap.from_list(
    "blue_white_red",
    ["#053061", "#2166ac", "#4393c3", "#92c5de", "#ffffff", "#f4a582", "#d6604d", "#b2182b", "#67001f"],
    N=257,
)
"""Red above zero, blue below, zero exactly white: an odd number of colours has a middle one."""


def table(palette: Colormap) -> np.ndarray:
    """[N,3] uint8, the palette's colours in order."""
    return (palette(np.arange(palette.N))[:, :3] * 255).round().astype(np.uint8)
