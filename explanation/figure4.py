"""Figure 4 of the paper: why class A and not B, by every method, beside the true cue where it is known."""

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from PIL import Image
from torch import Tensor

from calm.attribution import ATTRIBUTIONS, build_attribution
from calm.explanation.axes import INK, SOFT, draw_map, draw_picture, outline
from calm.explanation.kinds import listed
from calm.explanation.map_picture import enlarge
from calm.explanation.shown import Run
from calm.networks import METHODS
from calm.pictures.figures import colour_map
from calm.pictures.palettes import DIVERGING
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
GAP, TOP, WORDS, FOOT = 0.03, 0.42, 0.22, 0.52
"""Between panels; above and below them all; under each row: inches."""
LETTER = 0.046
"""Mean width of a letter of the legend, inches."""


class Attributed(NamedTuple):
    """A network, and the attribution that explains it."""

    run: Run
    attribution: str
    """A name of ``attribution.ATTRIBUTIONS``."""


class Contrast(NamedTuple):
    """A picture of class A, and why it is not B."""

    picture: Image.Image
    cue: np.ndarray | None
    """bool [S,S], the true cue: pixels of the parts in which A and B differ, where they are known."""
    class_a: str
    class_b: str
    parts: Sequence[str]
    """Names of the differing parts."""
    maps: dict[str, np.ndarray]
    """Title -> s^A - s^B, signed, on the pixels [S,S] of the network's input."""


def all_attributed(runs: Mapping[str, Run]) -> dict[str, Attributed]:
    """Title -> the baselines on the first network, then every network's own attribution.

    Args:
        runs: title -> run.
    """
    first = next(iter(runs.values()))
    baselines = {title: Attributed(first, attribution) for title, attribution in BASELINES.items()}
    own = {title: Attributed(run, METHODS[run.network.method].default_map) for title, run in runs.items()}
    return baselines | own


def counterfactual_map(explained: Attributed, image: Tensor, class_a: int, class_b: int) -> np.ndarray:
    """s^A - s^B of raw maps, [S,S] on the image's pixels, every cell where it is drawn.

    So the released code takes the difference; the text (Section 5.2) blurs gradients and scales every map before.

    Args:
        explained: network and attribution.
        image: [3,S,S], on the network's device.
        class_a, class_b: indices.
    """
    run, size = explained.run, image.shape[-1]
    classes = torch.tensor([class_a, class_b], device=image.device)
    maps = build_attribution(explained.attribution)(run.network, image[None].expand(2, -1, -1, -1), classes)
    difference = (maps[:1] - maps[1:]).float().cpu()
    if ATTRIBUTIONS[explained.attribution].image_sized:
        return difference[0].numpy()
    return run.explainer.places(maps.shape[-1]).laid(difference, size)[0].numpy()


def average_precision(values: np.ndarray, cue: np.ndarray) -> float:
    """Pixel-wise average precision of |s^A - s^B| for the cue in one image, in percent; NaN where it has no pixel."""
    scores = torch.from_numpy(np.abs(enlarge(values, len(cue))))
    curve = exact_curve(PixelScores(scores[None], torch.from_numpy(cue)[None]))
    return float("nan") if curve is None else 100 * curve.average_precision


def scale_of(values: np.ndarray) -> float:
    """The end of a map's colours: ``PERCENTILE`` of its |value| over the pixels, or its largest where that is zero."""
    heights = np.abs(values)
    return float(np.percentile(heights, PERCENTILE)) or float(heights.max()) or 1.0


def counterfactuals_figure(contrasts: Iterable[Contrast], first: str, *, width: float = 0.75) -> Figure:
    """A row per picture: input, true cue, then each map, red for A, blue for B, white for neither.

    Args:
        contrasts: all with the same maps.
        first: title of the network that the baselines show; its own column follows theirs.
        width: of a panel, inches.
    """
    contrasts = list(contrasts)
    before = ["Input"] if contrasts[0].cue is None else ["Input", "True cue"]
    titles = [*before, *contrasts[0].maps]
    full_width, full_height = len(titles) * (width + GAP) + GAP, TOP + len(contrasts) * (width + WORDS) + FOOT
    figure = Figure(figsize=(full_width, full_height), facecolor="white")
    for index, contrast in enumerate(contrasts):
        bottom = full_height - TOP - index * (width + WORDS) - width
        for column, title in enumerate(titles):
            place = ((GAP + column * (width + GAP)) / full_width, bottom / full_height)
            axis = figure.add_axes((*place, width / full_width, width / full_height))
            _panel(axis, contrast, title)
            if index == 0:
                axis.set_title(_broken(title), fontsize=6, color=INK, pad=2.5, linespacing=1.0)
        words = f"A  {contrast.class_a}     B  {contrast.class_b}"
        if contrast.parts:
            words += f"     differ in {listed(contrast.parts, 'and')}"
        figure.text(GAP / full_width, (bottom - 0.035) / full_height, words, fontsize=6, color=INK, va="top")
    _bracket(figure, (len(before), titles.index(first)), width, f"maps of the {first} network")
    _legend(figure, width, with_cue=contrasts[0].cue is not None)
    return figure


def _broken(title: str) -> str:
    """A title in short lines, a new one after a comma."""
    return "\n".join(textwrap.fill(words, 15) for words in title.replace(", ", ",\n").split("\n"))


def _panel(axis: Axes, contrast: Contrast, title: str) -> None:
    """The input, the true cue, or a map, where the cue is known with its outline and its average precision."""
    cue = contrast.cue
    if title == "Input":
        draw_picture(axis, contrast.picture)
    elif title == "True cue" and cue is not None:
        axis.imshow(~cue, cmap="gray", vmin=0, vmax=1)
    else:
        values = contrast.maps[title]
        draw_map(axis, contrast.picture, values, signed=True, high=scale_of(values))
        if cue is not None:
            outline(axis, contrast.picture, cue, line=0.5)
            text = f"{average_precision(values, cue):.0f}"
            look: dict[str, Any] = {"ha": "right", "va": "bottom", "fontsize": 6, "color": INK}
            box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.8}
            axis.text(0.96, 0.04, text, transform=axis.transAxes, bbox=box, **look)
    axis.set(xticks=[], yticks=[], aspect="auto")
    axis.spines[:].set(visible=True, linewidth=0.4, color=SOFT)


def _bracket(figure: Figure, ends: tuple[int, int], width: float, words: str) -> None:
    """A line over the columns from the first to the last of ``ends``, with words."""
    full_width, full_height = figure.get_size_inches()
    left, right = ((GAP + column * (width + GAP) + extent) / full_width for column, extent in zip(ends, (0, width)))
    height = 1 - 0.15 / full_height
    figure.add_artist(Line2D([left, right], [height] * 2, color=SOFT, linewidth=0.5))
    figure.text((left + right) / 2, height + 0.02 / full_height, words, fontsize=6, color=SOFT, ha="center")


def _legend(figure: Figure, width: float, *, with_cue: bool) -> None:
    """A colour bar under the first two columns, and what is drawn beside it."""
    full_width, full_height = figure.get_size_inches()
    place = (0.12 / full_width, 0.3 / full_height, (2 * width - 0.24) / full_width, 0.08 / full_height)
    bar = figure.colorbar(
        ScalarMappable(cmap=colour_map(DIVERGING)), cax=figure.add_axes(place), orientation="horizontal"
    )
    bar.set_ticks([0, 0.5, 1], labels=["for B", "0", "for A"])
    bar.ax.tick_params(labelsize=6, length=1.5, width=0.4, pad=1, colors=INK)
    bar.outline.set_linewidth(0.4)
    difference = "s(A)\u00a0−\u00a0s(B)"  # in one piece
    words = (
        f"{difference}, of raw maps (integrated gradients as released): red speaks for A, blue for B, white for "
        f"neither. The colours of each map end at the {PERCENTILE}th percentile of its |{difference}|."
    )
    if with_cue:
        words += " Outline: the true cue. "
        words += f"Number: average precision of |{difference}| for the cue in this picture, in percent."
    left = GAP + 2 * (width + GAP)
    lines = textwrap.fill(words, max(40, int((full_width - left) / LETTER)))
    figure.text(left / full_width, 0.4 / full_height, lines, fontsize=6, color=SOFT, va="top", linespacing=1.1)
