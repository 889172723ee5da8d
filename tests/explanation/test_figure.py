"""The static picture of an explanation: panels, bars, palette and words that do not collide."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from calm.explanation.figure import explain_figure
from calm.explanation.maps import Question
from calm.pictures import DIVERGING, colour_table
from tests.explained import made_up


def test_the_diverging_palette_is_white_at_zero_and_red_above():
    colours = colour_table(DIVERGING).astype(int)
    assert colours[len(colours) // 2].tolist() == [255, 255, 255]
    above, below = colours[len(colours) // 2 + 1 :], colours[: len(colours) // 2]
    assert (above[:, 0] > above[:, 2]).all() and (below[:, 2] > below[:, 0]).all()


@pytest.mark.parametrize("method", ["CALM_EM", "CAM"])
def test_the_figure_has_a_panel_and_a_bar_in_real_units_for_each_map(method):
    explanation = made_up(method)
    figure = explain_figure(explanation)
    wanted = [name for name in explanation.kinds if name != "posterior"]
    assert len(figure.axes) == 1 + 2 * len(wanted)
    drawn = [axis.images[-1] for axis in figure.axes[1:] if len(axis.images) == 2]
    for name, image in zip(wanted, drawn, strict=True):
        values = explanation.maps[name]
        high = np.abs(values).max() if explanation.kinds[name].signed else values.max()
        assert image.norm.vmax == pytest.approx(high)
    texts = " ".join(text.get_text() for text in figure.texts).replace("\n", " ")
    for name in wanted:
        assert explanation.sentence(name) in texts
    assert f"Painted Bunting {explanation.p_y[0]:.3f}" in texts


LONG = ["cougar, puma, catamount, mountain lion, painter, panther, Felis concolor", "Yellow_backed_Spotted_Thrush"]


@pytest.mark.parametrize("method", ["CALM_EM", "CAM"])
def test_long_names_neither_overlap_nor_leave_the_figure(method):
    figure = explain_figure(replace(made_up(method), class_names=LONG * 3, question=Question(0, 1, (0, 1, 2))))
    FigureCanvasAgg(figure).draw()
    words = [*figure.texts, *(axis.title for axis in figure.axes), *(axis._left_title for axis in figure.axes)]
    boxes = [text.get_window_extent() for text in words if text.get_text()]
    assert all(box.x0 >= 0 and box.x1 <= figure.bbox.x1 for box in boxes)
    assert not [pair for pair in combinations(boxes, 2) if pair[0].overlaps(pair[1])]


def test_names_are_drawn_letter_for_letter():
    names = [r"$\frac{$_Finch", "002.$5 vs $6", *LONG]
    figure = explain_figure(replace(made_up(), image_id="price $5 vs $6.png", class_names=names * 2))
    FigureCanvasAgg(figure).draw()  # a single broken formula would be an error
    assert not any(text.get_parse_math() for text in figure.findobj(Text))
    words = [text.get_text() for text in figure.texts]
    assert any(text.startswith("price $5 vs $6.png · ") for text in words)
    assert any(r"$\frac{$ Finch" in text for text in words)


def test_a_name_of_a_hundred_thousand_letters_is_cut():
    names = ["x" * 100_000, *LONG] * 2
    figure = explain_figure(replace(made_up(), class_names=names))
    assert figure.get_figheight() < 30 and max(len(text.get_text()) for text in figure.texts) < 1000
