"""Figure 4 of the paper: why class A and not B, by every method, beside the true cue."""

import textwrap
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from attribution import build_attribution
from explanation.figure import INK, SOFT, enlarge, grey
from networks.network import Network
from pictures import DIVERGING
from wsol_eval.pixel_ap import PixelScores, exact_curve

BASELINES = {
    "Gradient": "gradient",
    "Integrated gradients": "integrated_gradients",
    "SmoothGrad": "smoothgrad",
    "VarGrad": "vargrad",
}
"""Column -> attribution, those of the paper's Table 1; shown for the network of the first checkpoint."""


class Contrast(NamedTuple):
    """One row of the figure: a picture of class A."""

    picture: Image.Image
    cue: np.ndarray
    """bool [S,S], the true cue: pixels of the parts in which A and B differ."""
    class_a: str
    class_b: str
    parts: Sequence[str]
    maps: dict[str, np.ndarray]
    """Column -> s^A - s^B, signed, on the map's own grid."""


def counterfactual_map(network: Network, attribution: str, image: Tensor, class_a: int, class_b: int) -> np.ndarray:
    """s^A - s^B (paper, Section 5.2) of one attribution on its own grid, [h,w].

    Args:
        network: in evaluation mode.
        attribution: a name of ``attribution.ATTRIBUTIONS``.
        image: [3,H,W], on the network's device.
        class_a, class_b: indices.
    """
    classes = torch.tensor([class_a, class_b], device=image.device)
    maps = build_attribution(attribution)(network, image[None].expand(2, -1, -1, -1), classes)
    return (maps[0] - maps[1]).float().cpu().numpy()


def average_precision(values: np.ndarray, cue: np.ndarray) -> float:
    """Pixel-wise average precision of |s^A - s^B| for the cue in one image, in percent."""
    scores = torch.from_numpy(np.abs(enlarge(values, cue.shape)))
    return 100 * exact_curve(PixelScores(scores[None], torch.from_numpy(cue)[None])).average_precision


def contrast_figure(rows: Sequence[Contrast], *, width: float = 0.75) -> Figure:
    """A row per picture: input, true cue, then each method's map, red for A, blue for B, white where they agree.

    Each map is scaled by its own largest value; its average precision stands in its corner.

    Args:
        rows: all with the same methods.
        width: of a panel, inches.
    """
    methods = list(rows[0].maps)
    columns, gap, top, words = 2 + len(methods), 0.03, 0.3, 0.22
    full_width, full_height = columns * (width + gap) + gap, top + len(rows) * (width + words) + 0.26
    figure = Figure(figsize=(full_width, full_height), facecolor="white")
    for index, row in enumerate(rows):
        bottom = full_height - top - (index + 1) * width - index * words
        for column in range(columns):
            place = ((gap + column * (width + gap)) / full_width, bottom / full_height)
            axis = figure.add_axes((*place, width / full_width, width / full_height))
            axis.set(xticks=[], yticks=[])
            axis.spines[:].set(linewidth=0.4, color=SOFT)
            name = ["Input", "True cue", *methods][column]
            if column == 0:
                axis.imshow(np.asarray(row.picture), aspect="auto")
            elif column == 1:
                axis.imshow(np.where(row.cue, 0.0, 1.0), cmap="gray", vmin=0, vmax=1, aspect="auto")
            else:
                _draw(axis, row, row.maps[name])
            if index == 0:
                axis.set_title(textwrap.fill(name, 12), fontsize=6.5, color=INK, pad=2.5, linespacing=0.9)
        parts = " and ".join(part for part in (", ".join(row.parts[:-1]), row.parts[-1]) if part)
        text = f"A  {row.class_a}     B  {row.class_b}     differ in {parts}"
        figure.text(gap / full_width, (bottom - 0.035) / full_height, text, fontsize=6, color=INK, va="top")
    legend = (
        "s(A) − s(B): red speaks for A, blue for B, white for neither; each map scaled by its own largest value.\n"
        "Outline: the true cue. Number: average precision of |s(A) − s(B)| for the cue in this picture, in percent."
    )
    figure.text(gap / full_width, 0.04 / full_height, legend, fontsize=6, color=SOFT, va="bottom")
    return figure


def _draw(axis, row: Contrast, values: np.ndarray) -> None:
    """One map over a pale picture, with the cue's outline and the average precision."""
    high = float(np.abs(values).max()) or 1.0
    size = row.cue.shape
    extent = (0, size[1], size[0], 0)
    pale = 0.5 + 0.5 * grey(row.picture)
    axis.imshow(pale, cmap="gray", vmin=0, vmax=1, extent=extent, aspect="auto")
    drawn = enlarge(values, size)
    axis.imshow(drawn, cmap=DIVERGING, vmin=-high, vmax=high, alpha=0.85, extent=extent, aspect="auto")
    axis.contour(row.cue, levels=[0.5], colors=INK, linewidths=0.5, extent=(0, size[1], 0, size[0]))
    text = f"{average_precision(values, row.cue):.0f}"
    box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.8}
    axis.text(0.96, 0.04, text, transform=axis.transAxes, ha="right", va="bottom", fontsize=6, color=INK, bbox=box)
