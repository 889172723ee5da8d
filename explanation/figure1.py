"""Figure 1 of the paper: maps of class A, of class B and their difference, by each network."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from calm.explanation.axes import INK, SOFT, draw_map, draw_picture, outline
from calm.explanation.kinds import listed
from calm.explanation.maps import Explanation, Question

TITLES = ("Input", "Map of A", "Map of B", "A − B")
GAP, TOP, WORDS, FOOT, LEFT = 0.05, 0.3, 0.22, 0.16, 0.22
"""Between panels; above them all; under each picture's lines; at the bottom; left of them: inches."""


class Compared(NamedTuple):
    """A picture by each network."""

    explanations: Sequence[Explanation]
    """One a network, all of one question: A is its target, B its versus."""
    cue: np.ndarray | None = None
    """bool [S,S], the parts in which A and B differ, where they are known."""
    parts: Sequence[str] = ()
    """Their names."""


def comparison_figure(pictures: Sequence[Compared], names: Sequence[str], *, width: float = 1.3) -> Figure:
    """A line per picture and network: maps of A and B on one scale, their difference red for A and blue for B.

    Args:
        pictures: what is compared.
        names: of the networks.
        width: of a panel, inches.
    """
    tall = width + GAP
    full_width = LEFT + len(TITLES) * (width + GAP)
    full_height = TOP + len(pictures) * (len(names) * tall + WORDS) + FOOT
    figure = Figure(figsize=(full_width, full_height), facecolor="white")
    top = full_height - TOP
    for picture in pictures:
        for line, (name, explanation) in enumerate(zip(names, picture.explanations, strict=True)):
            bottom = top - (line + 1) * tall + GAP
            for column in range(len(TITLES)):
                left = LEFT + column * (width + GAP)
                axis = figure.add_axes(
                    (left / full_width, bottom / full_height, width / full_width, width / full_height)
                )
                _panel(axis, explanation, picture.cue, line, column)
            place = (0.5 * LEFT / full_width, (bottom + width / 2) / full_height)
            figure.text(*place, name, rotation=90, ha="center", va="center", fontsize=6.5, color=INK)
        top -= len(names) * tall
        words = _words(picture)
        figure.text(LEFT / full_width, (top + GAP - 0.03) / full_height, words, fontsize=7, color=INK, va="top")
        top -= WORDS
    for axis, title in zip(figure.axes, TITLES):
        axis.set_title(title, fontsize=8, color=INK, pad=3)
    legend = "Maps of A and B of a line share one scale. Red speaks for A, blue for B."
    if any(picture.cue is not None for picture in pictures):
        legend += " Outline, or black: the true cue."
    figure.text(LEFT / full_width, 0.05 / full_height, legend, fontsize=6, color=SOFT, va="bottom")
    return figure


def _panel(axis: Axes, explanation: Explanation, cue: np.ndarray | None, line: int, column: int) -> None:
    """The picture, below it its true cue, or one of the maps with the cue's outline."""
    picture = explanation.picture
    if column == 0 and line == 1 and cue is not None:
        axis.imshow(~cue, cmap="gray", vmin=0, vmax=1)
    elif column == 0:
        draw_picture(axis, picture)
    else:
        values, ends = _maps(explanation)[column - 1]
        low, high = ends or (None, None)
        draw_map(axis, picture, values, signed=ends is None, low=low, high=high, cells=explanation.cells)
        if cue is not None:
            outline(axis, picture, cue, line=0.5)
    axis.set(xticks=[], yticks=[], aspect="auto")
    axis.spines[:].set(visible=True, linewidth=0.4, color=SOFT)


def _maps(explanation: Explanation) -> list[tuple[np.ndarray, tuple[float, float] | None]]:
    """Of A, of B and their difference: values [h,w] and both ends of the scale; None for the last, which is signed."""
    question, name = explanation.question, explanation.attribution
    other = replace(explanation, question=Question(question.versus, question.target, question.subset))
    of_a, of_b = explanation.maps[name], other.maps[name]
    ends = float(min(of_a.min(), of_b.min())), float(max(of_a.max(), of_b.max()))
    return [(of_a, ends), (of_b, ends), (explanation.maps["counterfactual"], None)]


def _words(picture: Compared) -> str:
    """Both classes, and in what they differ."""
    explanation = picture.explanations[0]
    a, b = (explanation.names[k] for k in (explanation.question.target, explanation.question.versus))
    differ = f"     differ in {listed(picture.parts, 'and')}" if picture.parts else ""
    return f"A  {a}     B  {b}{differ}"
