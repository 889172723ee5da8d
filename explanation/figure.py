"""Maps over their picture, drawn with matplotlib: every panel has a colour bar in the map's own unit."""

import textwrap

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator, ScalarFormatter
from PIL import Image

from calm.attribution.score_map import resize
from calm.explanation.cells import Cells
from calm.explanation.maps import Explanation
from calm.pictures import DIVERGING, SEQUENTIAL, as_written

INK, SOFT = "#1d2127", "#636b76"
SIDE = 448
PALE = 0.55
"""Grey of black under a signed map, so that what is seen at zero is near white."""
LINE = 0.17
"""Height of a line of words under a panel, inches."""


def enlarge(values: np.ndarray, size: int = SIDE, cells: Cells | None = None) -> np.ndarray:
    """[h,w] -> [size,size], bilinear; the cells as tiles, or where ``cells`` says. A map of pixels takes no cells."""
    maps = torch.from_numpy(np.ascontiguousarray(values))[None].float()
    return (resize(maps, size) if cells is None else cells.laid(maps, size))[0].numpy()


def grey(picture: Image.Image, side: int = SIDE) -> np.ndarray:
    """The picture without colour, pale enough to lie under a map: [H,W] in [0,1]."""
    small = picture.convert("L")
    small.thumbnail((side, side), Image.Resampling.LANCZOS)
    return 0.12 + 0.88 * np.asarray(small, dtype=np.float32) / 255


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
    cells: Cells | None = None,
):
    """Draw a map [h,w] over its picture, see ``enlarge``; returns the image, for a colour bar.

    A signed map is red above zero, blue below and white at zero, to the same extent on both sides, over a paler
    picture; others start at zero, or at their minimum where they are scores below zero. ``high`` ends the scale in
    place of the largest value.
    """
    width, height = picture.size
    extent = (0, width, height, 0)
    under, opacity = (PALE + (1 - PALE) * grey(picture), 0.8) if signed else (grey(picture), 0.65)
    axis.imshow(under, cmap="gray", vmin=0, vmax=1, interpolation="lanczos", extent=extent)
    high = float(np.abs(values).max() if signed else values.max()) if high is None else high
    low = -high if signed else min(0.0, float(values.min()))
    palette = DIVERGING if signed else SEQUENTIAL
    end = high if high > low else low + 1
    laid = enlarge(values, cells=cells)
    drawn = axis.imshow(laid, cmap=palette, alpha=opacity, extent=extent, vmin=low, vmax=end)
    axis.set(xticks=[], yticks=[], xlim=(0, width), ylim=(height, 0), aspect="equal")
    axis.spines[:].set_visible(False)
    return drawn


def outline(axis: Axes, picture: Image.Image, mask: np.ndarray, *, line: float = 0.7) -> None:
    """Outline a bool mask [S,S] of the whole picture, dark on a light rim so that it is seen on any map."""
    width, height = picture.size
    padded = np.pad(mask.astype(float), 1)  # closes the outline where the mask touches the border
    xs, ys = ((np.arange(-1, n + 1) + 0.5) * side / n for n, side in zip(mask.shape[::-1], (width, height)))
    for colour, thick in (("white", 2.2 * line), (INK, line)):
        axis.contour(xs, ys, padded, levels=[0.5], colors=colour, linewidths=thick)
    axis.set(xlim=(0, width), ylim=(height, 0))


def mark_cell(axis: Axes, picture: Image.Image, box: tuple[float, float, float, float]) -> None:
    """Outline a box, x0, y0, x1, y1 in shares of the picture's sides."""
    width, height = picture.size
    corner, sides = (box[0] * width, box[1] * height), ((box[2] - box[0]) * width, (box[3] - box[1]) * height)
    for colour, line in (("black", 2.4), ("white", 1.2)):
        axis.add_patch(Rectangle(corner, *sides, fill=False, edgecolor=colour, linewidth=line))


def colour_bar(figure: Figure, axis: Axes, drawn, unit: str) -> None:
    """A colour bar under a panel, in real units."""
    left, bottom, width, _ = axis.get_position().bounds
    inch = 1 / figure.get_figheight()
    place = figure.add_axes((left + 0.08 * width, bottom - 0.22 * inch, 0.84 * width, 0.11 * inch))
    bar = figure.colorbar(drawn, cax=place, orientation="horizontal")
    if bar.solids is not None:
        bar.solids.set_alpha(1)
    bar.outline.set_linewidth(0.4)
    bar.locator = MaxNLocator(4, steps=[1, 2, 2.5, 5, 10], symmetric=drawn.norm.vmin < 0)
    bar.formatter = formatter = ScalarFormatter()
    formatter.set_powerlimits((-4, 4))
    bar.ax.tick_params(labelsize=7, length=2, width=0.4, pad=1.5, colors=SOFT)
    bar.ax.xaxis.get_offset_text().set(size=7, color=SOFT)
    bar.set_label(unit, size=7, color=SOFT, labelpad=1)


def _below(figure: Figure, axis: Axes, inches: float, text: str) -> None:
    left, bottom, width, _ = axis.get_position().bounds
    height = bottom - inches / figure.get_figheight()
    figure.text(left + width / 2, height, text, ha="center", va="top", fontsize=8.5, color=INK, linespacing=1.4)


def _panel(figure: Figure, axis: Axes, explanation: Explanation, name: str) -> None:
    kind, values = explanation.kinds[name], explanation.maps[name]
    drawn = draw_map(axis, explanation.picture, values, signed=kind.signed, cells=explanation.cells)
    mark_cell(axis, explanation.picture, explanation.cells.box(*explanation.peak(name)))
    axis.set_title(f"{kind.title}   {kind.formula}", fontsize=9, color=INK, loc="left", pad=5)
    colour_bar(figure, axis, drawn, kind.unit)
    _below(figure, axis, 0.62, _words(explanation, name))


def _words(explanation: Explanation, name: str) -> str:
    return textwrap.fill(explanation.sentence(name), 42)


def _input_panel(figure: Figure, axis: Axes, explanation: Explanation) -> None:
    draw_picture(axis, explanation.picture)
    axis.set_title("Input", fontsize=9, color=INK, loc="left", pad=5)
    ranking = explanation.ranking[:4]
    top = [f"{textwrap.shorten(explanation.names[k], 44, placeholder='…')}  {explanation.p_y[k]:.3f}" for k in ranking]
    _below(figure, axis, 0.12, "\n".join(["p(y | x)", *top]))


def panel_grid(count: int, ratio: float, *, columns: int = 3, below: float = 1.3) -> tuple[Figure, list[Axes]]:
    """A figure and ``count`` axes, all of one size, whose pictures have width / height = ``ratio``.

    ``below`` inches under each are left for its colour bar and words.
    """
    width, gap, above, top = 3.1, 0.32, 0.3, 0.75
    height = width / min(max(ratio, 0.4), 2.5)
    rows = -(-count // columns)
    full_width, full_height = columns * (width + gap) + gap, top + rows * (above + height + below)
    figure = Figure(figsize=(full_width, full_height), facecolor="white")
    axes = []
    for index in range(count):
        row, column = divmod(index, columns)
        x, y = gap + column * (width + gap), full_height - top - (row + 1) * (above + height) - row * below
        axes.append(figure.add_axes((x / full_width, y / full_height, width / full_width, height / full_height)))
    return figure, axes


def explain_figure(explanation: Explanation) -> Figure:
    """The input and its maps, a sentence under each; the title gives both classes and their probabilities."""
    panels = [name for name, kind in explanation.kinds.items() if kind.in_figure]
    width, height = explanation.picture.size
    lines = max(_words(explanation, name).count("\n") + 1 for name in panels)
    figure, axes = panel_grid(len(panels) + 1, width / height, below=max(1.3, 0.7 + LINE * lines))
    _input_panel(figure, axes[0], explanation)
    for axis, name in zip(axes[1:], panels, strict=True):
        _panel(figure, axis, explanation, name)
    question, p_y, names = explanation.question, explanation.p_y, explanation.names
    classes = [f"{names[k]} {p_y[k]:.3f}" for k in (question.target, question.versus)]
    title = "   rather than   ".join(classes)
    if len(title) > 80:
        title = "\nrather than ".join(textwrap.fill(words, 90) for words in classes)
    tall, rise = figure.get_figheight(), 0.2 * title.count("\n")
    figure.text(0.5, 1 - (0.2 - rise) / tall, title, ha="center", va="top", fontsize=12.5, color=INK, fontweight="bold")
    caption = f"{explanation.image_id} · {explanation.model}"
    figure.text(0.5, 1 - 0.48 / tall, caption, ha="center", va="top", fontsize=8, color=SOFT)
    return as_written(figure)
