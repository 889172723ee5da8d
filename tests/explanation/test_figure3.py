"""Figure 3: panels, words and the true cue's outline."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from calm.explanation.figure3 import Pictured, maps_figure
from tests.explained import made_up, made_up_picture


def draw(method="CALM_EM", **options):
    explanation = replace(made_up(method, **options), model=f"{method}, ReLU prior · made up")
    cue = np.zeros((64, 64), dtype=bool)
    cue[48:, :32] = True
    return explanation, maps_figure([Pictured(explanation, cue, ["head", "tail"])])


def test_the_figure_says_both_classes_the_cue_and_the_network():
    explanation, figure = draw()
    words = " ".join(text.get_text() for text in figure.texts)
    assert "y: Painted Bunting " in words and "y′: Summer Tanager " in words
    assert "(head and tail)" in words and "CALM_EM, ReLU prior · made up" in words
    assert f"p(y | x) = {explanation.p_y[0]:.2f}\np(y′ | x) = {explanation.p_y[3]:.2f}" in words
    titles = [axis.get_title() for axis in figure.axes if axis.get_title()]
    assert titles == ["Input", "Attribution", "Conditional", "Saliency", "Subset", "Counterfactual"]
    assert len(figure.axes) == 6 + 5


def test_the_sums_are_the_probabilities_of_the_classes():
    explanation, figure = draw()
    p = explanation.p_y
    sums = [text.get_text().split("\n")[0] for text in figure.texts if text.get_text().startswith("sum")]
    expected = [p[0], 1.0, p[:3].sum(), p[0] - p[3]]
    assert sums == [f"sum over z: {value:.2f}" for value in expected]


@pytest.mark.parametrize(("method", "scales"), [("CALM_EM", 1), ("CAM", 3)])
def test_only_shares_of_the_prior_have_one_scale_and_a_sum(method, scales, maps_drawn):
    _, figure = draw(method)
    titles = [axis.get_title() for axis in figure.axes if axis.get_title()][1:]
    drawn = dict(zip(titles, maps_drawn, strict=True))
    del drawn[{"CALM_EM": "Conditional", "CAM": "Attribution"}[method]]
    assert len({round(each.scale.high, 5) for each in drawn.values()}) == scales
    words = " ".join(text.get_text() for text in figure.texts)
    assert ("sum over z" in words) == ("one scale" in words) == (method != "CAM")


def test_the_outline_lies_on_the_cue_in_every_map():
    _, figure = draw(picture=made_up_picture(128, 64))
    panels = [axis for axis in figure.axes if axis.get_title() not in ("", "Input")]
    assert len(panels) == 5
    for axis in panels:
        points = np.concatenate([path.vertices for path in axis.collections[-1].get_paths()])
        assert np.abs(points.min(axis=0) - (0, 48)).max() <= 1
        assert np.abs(points.max(axis=0) - (64, 64)).max() <= 1
        assert axis.get_xlim() == (0, 128) and axis.get_ylim() == (64, 0)


@pytest.mark.parametrize("method", ["CALM_EM", "CAM"])
@pytest.mark.parametrize("shape", [(100, 100), (200, 100), (60, 100)])
def test_words_are_apart_and_there_is_no_empty_band(method, shape):
    _, figure = draw(method, picture=made_up_picture(*shape))
    FigureCanvasAgg(figure).draw()
    texts = [*figure.texts, *(axis.title for axis in figure.axes), *(text for a in figure.axes for text in a.texts)]
    boxes = [text.get_window_extent() for text in texts if text.get_text()]
    assert not [pair for pair in combinations(boxes, 2) if pair[0].overlaps(pair[1])]
    assert all(box.x0 >= 0 and box.x1 <= figure.bbox.x1 and box.y1 <= figure.bbox.y1 for box in boxes)
    assert 0 <= min(box.y0 for box in boxes) < 0.1 * figure.dpi
    formulas = [axis.texts[0].get_window_extent() for axis in figure.axes if axis.texts]
    pictures = [axis.get_window_extent() for axis in figure.axes if axis.texts]
    assert all(text.y0 - picture.y1 > 0.04 * figure.dpi for text, picture in zip(formulas, pictures, strict=True))


def test_without_a_known_cue_nothing_is_outlined_and_every_picture_has_its_line():
    lines = [Pictured(made_up(picture=made_up_picture(*size))) for size in ((100, 100), (200, 100))]
    figure = maps_figure(lines)
    assert not [axis for axis in figure.axes if axis.collections and axis.get_title()]
    words = [text.get_text() for text in figure.texts]
    assert words.count("y: Painted Bunting     y′: Summer Tanager") == 2
    assert len(figure.axes) == 2 * (6 + 5)
