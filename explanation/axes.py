"""Pictures and maps on matplotlib's axes, for the figures of ``make_figures.py``."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, ScalarFormatter
from PIL import Image

from calm.explanation.cells import Cells
from calm.explanation.lettering import INK, SOFT
from calm.explanation.map_picture import map_picture, scale_of
from calm.pictures.figures import colour_map

SIDE = 448
"""Longest side of a map, pixels."""


def draw_picture(axis: Axes, picture: Image.Image) -> None:
    """Draw a picture as it is, without ticks; a small one is enlarged smoothly."""
    width, height = picture.size
    axis.imshow(np.asarray(picture), interpolation="lanczos", extent=(0, width, height, 0))
    axis.set(xticks=[], yticks=[])
    axis.spines[:].set_visible(False)


def draw_map(
    axis: Axes,
    picture: Image.Image,
    values: np.ndarray,
    *,
    signed: bool,
    high: float | None = None,
    low: float | None = None,
    cells: Cells | None = None,
) -> ScalarMappable:
    """Draw a map [h,w] over its picture, see ``map_picture``; returns its scale and palette, for a colour bar.

    ``high`` ends the scale in place of the largest value, and ``low`` begins it in place of the least.
    """
    (width, height), scale = picture.size, scale_of(values, signed=signed, high=high, low=low)
    size = (max(1, round(width * SIDE / max(picture.size))), max(1, round(height * SIDE / max(picture.size))))
    axis.imshow(map_picture(picture, values, scale, size=size, cells=cells), extent=(0, width, height, 0))
    axis.set(xticks=[], yticks=[], xlim=(0, width), ylim=(height, 0), aspect="equal")
    axis.spines[:].set_visible(False)
    return ScalarMappable(Normalize(scale.low, scale.high), colour_map(scale.palette))


def outline(axis: Axes, picture: Image.Image, mask: np.ndarray, *, line: float = 0.7) -> None:
    """Outline a bool mask [S,S] of the whole picture, dark on a light rim so that it is seen on any map."""
    width, height = picture.size
    padded = np.pad(mask.astype(float), 1)  # closes the outline where the mask touches the border
    xs, ys = ((np.arange(-1, n + 1) + 0.5) * side / n for n, side in zip(mask.shape[::-1], (width, height)))
    for colour, thick in (("white", 2.2 * line), (INK, line)):
        axis.contour(xs, ys, padded, levels=[0.5], colors=colour, linewidths=thick)
    axis.set(xlim=(0, width), ylim=(height, 0))


def colour_bar(figure: Figure, axis: Axes, drawn: ScalarMappable) -> None:
    """A colour bar under a panel, in real units."""
    left, bottom, width, _ = axis.get_position().bounds
    inch = 1 / figure.get_figheight()
    place = figure.add_axes((left + 0.08 * width, bottom - 0.22 * inch, 0.84 * width, 0.11 * inch))
    bar = figure.colorbar(drawn, cax=place, orientation="horizontal")
    bar.outline.set_linewidth(0.4)
    bar.locator = MaxNLocator(4, steps=[1, 2, 2.5, 5, 10])
    bar.formatter = formatter = ScalarFormatter()
    formatter.set_powerlimits((-4, 4))
    bar.ax.tick_params(labelsize=7, length=2, width=0.4, pad=1.5, colors=SOFT)
    bar.ax.xaxis.get_offset_text().set(size=7, color=SOFT)
