"""Figure 3 of the paper: an image and its maps side by side, the true cue outlined where it is known."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from calm.explanation.axes import INK, SOFT, colour_bar, draw_map, draw_picture, outline
from calm.explanation.kinds import listed
from calm.explanation.maps import Explanation

ONE_SCALE = ("joint", "saliency", "subset", "counterfactual")
"""Maps of p(y,z|x) or sums and differences of it, none above p(z|x): they are drawn on one scale."""
GAP, ABOVE, BELOW = 0.14, 0.52, 1.2
"""Between panels; above and below those of a line: inches."""


class Pictured(NamedTuple):
    """One line of the figure."""

    explanation: Explanation
    cue: np.ndarray | None = None
    """bool [S,S], the parts in which the question's two classes differ, where they are known."""
    parts: Sequence[str] = ()
    """Their names."""


def maps_figure(lines: Sequence[Pictured], *, width: float = 1.75) -> Figure:
    """Input, attribution, conditional, saliency, subset and counterfactual in one row, each with its colour bar.

    Maps that can be compared share their scale (``ONE_SCALE``); each of these has its sum written below.

    Args:
        lines: a row each, of one network.
        width: of a panel, inches.
    """
    panels = [None, *(name for name, kind in lines[0].explanation.kinds.items() if kind.in_figure)]
    heights = [
        width * min(max(line.explanation.picture.height / line.explanation.picture.width, 0.4), 2.5) for line in lines
    ]
    full_width, full_height = len(panels) * (width + GAP) + GAP, sum(heights) + len(lines) * (ABOVE + BELOW)
    figure = Figure(figsize=(full_width, full_height), facecolor="white")
    top = full_height
    for line, height in zip(lines, heights):
        bottom = top - ABOVE - height
        for column, name in enumerate(panels):
            left = (GAP + column * (width + GAP)) / full_width
            axis = figure.add_axes((left, bottom / full_height, width / full_width, height / full_height))
            _panel(figure, axis, line.explanation, name)
            axis.spines[:].set(visible=True, linewidth=0.4, color=SOFT)
            if name and line.cue is not None:
                outline(axis, line.explanation.picture, line.cue)
            place = (left + width / full_width / 2, (bottom - (0.46 if name else 0.1)) / full_height)
            words = _words(line.explanation, name)
            figure.text(*place, words, ha="center", va="top", fontsize=7, color=INK, linespacing=1.4)
        for below, colour, text in zip((0.98, 1.15), (INK, SOFT), _legend(line)):
            place = (GAP / full_width, (bottom - below) / full_height)
            figure.text(*place, text, fontsize=7, color=colour, va="bottom")
        top = bottom - BELOW
    return figure


def _shares(explanation: Explanation) -> tuple[str, ...]:
    """Those of ``ONE_SCALE`` that the network has: none where its maps are CAM's scores."""
    return ONE_SCALE if explanation.output.has_prior else ()


def _panel(figure: Figure, axis: Axes, explanation: Explanation, name: str | None) -> None:
    """One map with its colour bar and formula; None: the picture itself."""
    if name is None:
        draw_picture(axis, explanation.picture)
        axis.set_title("Input", fontsize=9, color=INK, pad=20)
        return
    kind = explanation.kinds[name]
    high = float(explanation.maps["saliency"].max()) if name in _shares(explanation) else None
    picture, values = explanation.picture, explanation.maps[name]
    drawn = draw_map(axis, picture, values, signed=kind.signed, high=high, cells=explanation.cells)
    axis.set_title("Attribution" if name == explanation.attribution else kind.title, fontsize=9, color=INK, pad=20)
    place: dict[str, Any] = {
        "xy": (0.5, 1),
        "xycoords": "axes fraction",
        "xytext": (0, 6),
        "textcoords": "offset points",
    }
    axis.annotate(kind.formula, **place, ha="center", va="bottom", fontsize=7.5, color=SOFT)
    colour_bar(figure, axis, drawn)


def _words(explanation: Explanation, name: str | None) -> str:
    """Below the input p of both classes; below a map its sum, where that is a probability, and its classes."""
    question = explanation.question
    if name is None:
        p, rival = explanation.p_y[question.target], explanation.p_y[question.versus]
        return f"p(y | x) = {p:.2f}\np(y′ | x) = {rival:.2f}"
    lines = [f"sum over z: {explanation.maps[name].sum():.2f}"] if name in _shares(explanation) else []
    if explanation.kinds[name].of_subset:
        others = len(question.subset) - 1
        lines.append(f"y and {others} more class{'' if others == 1 else 'es'}")
    return "\n".join([*lines, "y rather than y′"] if explanation.kinds[name].signed else lines)


def _legend(line: Pictured) -> tuple[str, str]:
    """The two classes and, where it is known, their difference; the network and the scale."""
    explanation = line.explanation
    target, versus = (explanation.names[k] for k in (explanation.question.target, explanation.question.versus))
    scale = "     Attribution, saliency, subset and counterfactual share one scale." if _shares(explanation) else ""
    cue = f"     Outline: the true cue, where they differ ({listed(line.parts, 'and')})" if line.parts else ""
    return f"y: {target}     y′: {versus}{cue}", explanation.model + scale
