"""Figure 4 of the paper: why class A and not B, by every method, beside the true cue."""

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from PIL import Image
from torch import Tensor

from calm.attribution import build_attribution
from calm.attribution.catalogue import default_attribution
from calm.explanation.figure import INK, SOFT, draw_map, draw_picture, enlarge, outline
from calm.explanation.kinds import listed
from calm.networks.network import Network
from calm.pictures import DIVERGING
from calm.wsol_eval.pixel_ap import PixelScores, exact_curve

BASELINES = {
    "Gradient": "gradient",
    "Integrated gradients": "integrated_gradients",
    "SmoothGrad": "smoothgrad",
    "VarGrad": "vargrad",
}
"""Title -> attribution, those of the paper's Table 1; shown for the first network."""
PERCENTILE = 99.5
"""Of a map's |value|: the end of its colours. A few extreme pixels would leave the rest of a gradient map white."""
GAP, TOP, WORDS, FOOT = 0.03, 0.42, 0.22, 0.38
"""Between panels; above and below them all; under each row: inches."""


class Column(NamedTuple):
    """What one column shows."""

    network: Network
    """In evaluation mode."""
    attribution: str
    """A name of ``attribution.ATTRIBUTIONS``."""


class Row(NamedTuple):
    """A picture of class A, and why it is not B."""

    picture: Image.Image
    cue: np.ndarray
    """bool [S,S], the true cue: pixels of the parts in which A and B differ."""
    class_a: str
    class_b: str
    parts: Sequence[str]
    """Names of the differing parts."""
    maps: dict[str, np.ndarray]
    """Column's title -> s^A - s^B, signed, on the map's own grid."""


def columns(networks: Mapping[str, Network]) -> dict[str, Column]:
    """Title -> column: the baselines on the first network, then every network's own attribution.

    Args:
        networks: title -> network.
    """
    first = next(iter(networks.values()))
    baselines = {title: Column(first, attribution) for title, attribution in BASELINES.items()}
    own = {title: Column(network, default_attribution(network.method)) for title, network in networks.items()}
    return baselines | own


def counterfactual_map(column: Column, image: Tensor, class_a: int, class_b: int) -> np.ndarray:
    """s^A - s^B (paper, Section 5.2) of one column's attribution on its own grid, [h,w].

    Args:
        column: network and attribution.
        image: [3,H,W], on the network's device.
        class_a, class_b: indices.
    """
    classes = torch.tensor([class_a, class_b], device=image.device)
    maps = build_attribution(column.attribution)(column.network, image[None].expand(2, -1, -1, -1), classes)
    return (maps[0] - maps[1]).float().cpu().numpy()


def average_precision(values: np.ndarray, cue: np.ndarray) -> float:
    """Pixel-wise average precision of |s^A - s^B| for the cue in one image, in percent; NaN where it has no pixel."""
    scores = torch.from_numpy(np.abs(enlarge(values, len(cue))))
    curve = exact_curve(PixelScores(scores[None], torch.from_numpy(cue)[None]))
    return float("nan") if curve is None else 100 * curve.average_precision


def scale_of(values: np.ndarray, size: int) -> float:
    """The end of a map's colours: ``PERCENTILE`` of its |value| at ``size`` pixels a side, or its largest where that is
    zero."""
    heights = np.abs(enlarge(values, size))
    return float(np.percentile(heights, PERCENTILE)) or float(heights.max()) or 1.0


def counterfactuals_figure(rows: Iterable[Row], first: str, *, width: float = 0.75) -> Figure:
    """A row per picture: input, true cue, then each column's map, red for A, blue for B, white for neither.

    Args:
        rows: all with the same columns.
        first: title of the network that the baselines show; its own column follows theirs.
        width: of a panel, inches.
    """
    rows = list(rows)
    titles = ["Input", "True cue", *rows[0].maps]
    full_width, full_height = len(titles) * (width + GAP) + GAP, TOP + len(rows) * (width + WORDS) + FOOT
    figure = Figure(figsize=(full_width, full_height), facecolor="white")
    for index, row in enumerate(rows):
        bottom = full_height - TOP - index * (width + WORDS) - width
        for column, title in enumerate(titles):
            place = ((GAP + column * (width + GAP)) / full_width, bottom / full_height)
            axis = figure.add_axes((*place, width / full_width, width / full_height))
            _panel(axis, row, title)
            if index == 0:
                axis.set_title(_broken(title), fontsize=6, color=INK, pad=2.5, linespacing=1.0)
        words = f"A  {row.class_a}     B  {row.class_b}     differ in {listed(row.parts, 'and')}"
        figure.text(GAP / full_width, (bottom - 0.035) / full_height, words, fontsize=6, color=INK, va="top")
    _bracket(figure, titles.index(first), width, f"maps of the {first} network")
    _legend(figure, width)
    return figure


def _broken(title: str) -> str:
    """A title in short lines, a new one after a comma."""
    return "\n".join(textwrap.fill(words, 15) for words in title.replace(", ", ",\n").split("\n"))


def _panel(axis: Axes, row: Row, title: str) -> None:
    """The input, the true cue, or a map with the cue's outline and its average precision."""
    if title == "Input":
        draw_picture(axis, row.picture)
    elif title == "True cue":
        axis.imshow(~row.cue, cmap="gray", vmin=0, vmax=1)
    else:
        values = row.maps[title]
        draw_map(axis, row.picture, values, signed=True, high=scale_of(values, len(row.cue)))
        outline(axis, row.picture, row.cue, line=0.5)
        text = f"{average_precision(values, row.cue):.0f}"
        box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.8}
        axis.text(0.96, 0.04, text, transform=axis.transAxes, ha="right", va="bottom", fontsize=6, color=INK, bbox=box)
    axis.set(xticks=[], yticks=[], aspect="auto")
    axis.spines[:].set(visible=True, linewidth=0.4, color=SOFT)


def _bracket(figure: Figure, last: int, width: float, words: str) -> None:
    """A line over the columns from the first map to ``last``, with words."""
    full_width, full_height = figure.get_size_inches()
    left, right = (GAP + 2 * (width + GAP)) / full_width, (GAP + last * (width + GAP) + width) / full_width
    height = 1 - 0.15 / full_height
    figure.add_artist(Line2D([left, right], [height] * 2, color=SOFT, linewidth=0.5))
    figure.text((left + right) / 2, height + 0.02 / full_height, words, fontsize=6, color=SOFT, ha="center")


def _legend(figure: Figure, width: float) -> None:
    """A colour bar under the first two columns, and what is drawn beside it."""
    full_width, full_height = figure.get_size_inches()
    place = (0.12 / full_width, 0.2 / full_height, (2 * width - 0.24) / full_width, 0.08 / full_height)
    bar = figure.colorbar(ScalarMappable(cmap=DIVERGING), cax=figure.add_axes(place), orientation="horizontal")
    bar.set_ticks([0, 0.5, 1], labels=["for B", "0", "for A"])
    bar.ax.tick_params(labelsize=6, length=1.5, width=0.4, pad=1, colors=INK)
    bar.outline.set_linewidth(0.4)
    words = (
        f"s(A) − s(B): red speaks for A, blue for B, white for neither. The colours of each map end at the "
        f"{PERCENTILE}th percentile of its |s(A) − s(B)|.\n"
        "Outline: the true cue. Number: average precision of |s(A) − s(B)| for the cue in this picture, in percent."
    )
    figure.text((GAP + 2 * (width + GAP)) / full_width, 0.06 / full_height, words, fontsize=6, color=SOFT, va="bottom")
