"""Figure 3 of the paper: one image and its maps side by side."""

import textwrap

import numpy as np
from matplotlib.figure import Figure

from explanation.figure import INK, SOFT, colour_bar, draw_map
from explanation.maps import Explanation

TITLES = {"joint": "Attribution", "cam": "Attribution"}
ONE_SCALE = ("joint", "saliency", "subset", "counterfactual")
"""Maps of p(y,z|x) or sums and differences of it, none above p(z|x): they are drawn on one scale."""


def strip_figure(explanation: Explanation, *, width: float = 1.75) -> Figure:
    """Input, attribution, conditional, saliency, subset and counterfactual in one row, each with its colour bar.

    Maps that can be compared share their scale (``ONE_SCALE``).

    Args:
        explanation: of one image.
        width: of a panel, inches.
    """
    panels = [name for name in explanation.kinds if name != "posterior"]
    picture_width, picture_height = explanation.picture.size
    height = width * min(max(picture_height / picture_width, 0.4), 2.5)
    gap, top, below = 0.12, 0.42, 0.95
    full_width, full_height = (len(panels) + 1) * (width + gap) + gap, top + height + below
    figure = Figure(figsize=(full_width, full_height), facecolor="white")
    calm = "joint" in explanation.kinds
    highest = float(explanation.maps["saliency"].max()) if calm else None
    names, p_y, question = explanation.names, explanation.p_y, explanation.question
    for column, name in enumerate([None, *panels]):
        place = ((gap + column * (width + gap)) / full_width, below / full_height)
        axis = figure.add_axes((*place, width / full_width, height / full_height))
        axis.set(xticks=[], yticks=[])
        axis.spines[:].set_visible(False)
        middle, base = place[0] + width / full_width / 2, place[1]
        if name is None:
            axis.imshow(np.asarray(explanation.picture))
            axis.set_title("Input", fontsize=8.5, color=INK, pad=14)
            words = f"{names[question.target]}\np(y | x) = {p_y[question.target]:.2f}"
            figure.text(middle, base - 0.08 / full_height, words, ha="center", va="top", fontsize=7, color=INK)
            continue
        kind = explanation.kinds[name]
        high = highest if name in ONE_SCALE else None
        drawn = draw_map(axis, explanation.picture, explanation.maps[name], signed=kind.signed, high=high)
        axis.set_title(TITLES.get(name, kind.title), fontsize=8.5, color=INK, pad=14)
        formula = {"x": 0.5, "y": 1.02, "s": kind.formula, "transform": axis.transAxes, "ha": "center"}
        axis.text(**formula, fontsize=7, color=SOFT)
        colour_bar(figure, axis, drawn, "")
        words = {"subset": f"{len(question.subset)} classes of its family",
                 "counterfactual": f"rather than {names[question.versus]}"}.get(name, "")  # fmt: skip
        words = textwrap.fill(words, 30)
        figure.text(middle, base - 0.5 / full_height, words, ha="center", va="top", fontsize=7, color=INK)
    return figure
