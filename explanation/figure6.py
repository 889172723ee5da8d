"""Figure 6 of the paper: maps added up over the class alone, over sets of classes above it, and over all classes."""

import textwrap
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from calm.explanation.axes import INK, SOFT, draw_map, draw_picture
from calm.explanation.levels import Level
from calm.explanation.maps import Explanation

GAP, ABOVE, BELOW, FOOT = 0.08, 0.54, 0.18, 0.2
"""Between panels; above and below those of a line; at the bottom: inches."""


def levels_figure(lines: Sequence[Sequence[tuple[Level, Explanation]]], *, width: float = 1.5) -> Figure:
    """A line per picture: the input, then its map added up over the classes of each level.

    Args:
        lines: of each picture its levels, from the class alone to all classes, each with the explanation whose subset
            it is.
        width: of a panel, inches.
    """
    count = 1 + max(len(line) for line in lines)
    heights = [width * min(max(line[0][1].picture.height / line[0][1].picture.width, 0.4), 2.5) for line in lines]
    full_width, full_height = count * (width + GAP) + GAP, sum(heights) + len(lines) * (ABOVE + BELOW) + FOOT
    figure = Figure(figsize=(full_width, full_height), facecolor="white")
    top = full_height
    for line, height in zip(lines, heights):
        bottom = top - ABOVE - height
        for column in range(1 + len(line)):
            left = GAP + column * (width + GAP)
            axis = figure.add_axes((left / full_width, bottom / full_height, width / full_width, height / full_height))
            level, explanation = line[max(column - 1, 0)]
            if column == 0:
                draw_picture(axis, explanation.picture)
                high = _full_colour(explanation)
                title, below = "Input", "" if high is None else f"full colour: {high:.2g}"
            else:
                title, below = _draw_level(axis, level, explanation)
            axis.set_title(title, fontsize=8, color=INK, pad=3, linespacing=1.1)
            axis.spines[:].set(visible=True, linewidth=0.4, color=SOFT)
            place = ((left + width / 2) / full_width, (bottom - 0.05) / full_height)
            figure.text(*place, below, ha="center", va="top", fontsize=7, color=INK)
        top = bottom - BELOW
    first = lines[0][0][1]
    scale = "     The maps of a line share one scale." if first.output.has_prior else ""
    figure.text(GAP / full_width, 0.05 / full_height, f"{first.model}{scale}", fontsize=7, color=SOFT, va="bottom")
    return figure


def _draw_level(axis: Axes, level: Level, explanation: Explanation) -> tuple[str, str]:
    """Draw the map of a level; returns its title, and its sum where that is a probability."""
    (name,) = (name for name, kind in explanation.kinds.items() if kind.of_subset)
    values, high = explanation.maps[name], _full_colour(explanation)
    draw_map(axis, explanation.picture, values, signed=False, high=high, cells=explanation.cells)
    size = len(level.classes)
    words = "\n".join(textwrap.wrap(level.name, 26, max_lines=2, placeholder="…"))
    title = f"{words}\n{size} class{'' if size == 1 else 'es'}"
    return title, "" if high is None else f"sum over z: {values.sum():.2f}"


def _full_colour(explanation: Explanation) -> float | None:
    """The probability at which the colours of all maps of a picture end; None without a prior, each its own then."""
    return float(explanation.maps["saliency"].max()) if explanation.output.has_prior else None
