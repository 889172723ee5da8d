"""The static picture of an explanation: its panels, the peak, and words that stay in their places."""

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from calm.explanation import figure as drawing
from calm.explanation.figure import GAP, MARGIN, WIDTH, as_png, explain_figure, inner_size
from calm.explanation.map_picture import map_picture, scale_of
from calm.explanation.maps import Question
from tests.explained import made_up, made_up_picture

LONG = ["cougar, puma, catamount, mountain lion, painter, panther, Felis concolor", "Yellow_backed_Spotted_Thrush"]


@pytest.fixture
def words(monkeypatch):
    """(lines, picture) of everything lettered in a figure."""
    drawn = []

    def noted(lines, width, **look):
        drawn.append((list(lines), lettered(lines, width, **look)))
        return drawn[-1][1]

    lettered = drawing.lettered
    monkeypatch.setattr(drawing, "lettered", noted)
    return drawn


def place_in(figure, column, panel):
    """Top and left of an [h,w,3] picture in the figure's column, by three of its lines, and the share of it found."""
    height, width, _ = panel.shape
    left = MARGIN + column * (WIDTH + GAP) + (WIDTH - width) // 2
    strip, last = figure[:, left : left + width], len(figure) - height + 1
    lines = [
        (strip[line : line + last] == panel[line]).all(axis=-1).mean(axis=1) for line in (0, height // 2, -1 + height)
    ]
    top = int(np.argmax(np.sum(lines, axis=0)))
    return top, left, (strip[top : top + height] == panel).all(axis=-1).mean()


@pytest.mark.parametrize("method", ["CALM_EM", "CAM"])
@pytest.mark.parametrize("size", [(120, 90), (60, 20), (30, 90)])
def test_every_map_has_its_panel_with_the_peak_outlined(method, size):
    explanation = made_up(method, picture=made_up_picture(*size))
    figure = np.asarray(explain_figure(explanation)).astype(int)
    small = explanation.picture.resize(inner_size(explanation.picture), Image.Resampling.LANCZOS)
    names = [name for name in explanation.kinds if name != "posterior"]
    tops = [place_in(figure, 0, np.asarray(small))[0]]
    for number, name in enumerate(names, start=1):
        values, signed = explanation.maps[name], explanation.kinds[name].signed
        panel = map_picture(small, values, scale_of(values, signed=signed), size=small.size, cells=explanation.cells)
        top, left, share = place_in(figure, number % 3, panel)
        tops.append(top)
        assert 0.9 < share < 1
        differ = (figure[top : top + len(panel), left : left + panel.shape[1]] != panel).any(axis=-1)
        row, column = np.unravel_index(np.argmax(np.abs(values) if signed else values), values.shape)
        for axis, cell, side in ((1, row, len(panel)), (0, column, panel.shape[1])):
            marked = np.flatnonzero(differ.any(axis=axis))
            assert (
                abs(marked[0] - (cell * side / 7 - 2)) <= 2.5 and abs(marked[-1] - ((cell + 1) * side / 7 + 1)) <= 2.5
            )
    assert tops[0] == tops[1] == tops[2] < tops[3] and len(set(tops)) == 2


@pytest.mark.parametrize("method", ["CALM_EM", "CAM"])
def test_the_figure_says_both_classes_the_image_and_what_each_map_means(method, words):
    explanation = made_up(method)
    explain_figure(explanation)
    said = [" ".join(lines) for lines, _ in words]
    p_y = explanation.p_y
    assert f"Painted Bunting {p_y[0]:.3f}   rather than   Summer Tanager {p_y[3]:.3f}" in said
    assert f"bunting.jpg · {method} · made up" in said
    for name, kind in explanation.kinds.items():
        assert (
            (explanation.sentence(name) in said) == (f"{kind.title}   {kind.formula}" in said) == (name != "posterior")
        )
    four = sorted(range(6), key=lambda k: -p_y[k])[:4]
    assert " ".join(["p(y | x)", *(f"{explanation.names[k]}  {p_y[k]:.3f}" for k in four)]) in said


@pytest.mark.parametrize("method", ["CALM_EM", "CAM"])
@pytest.mark.parametrize("names", [LONG * 3, ["x" * 100_000, "長" * 300] * 3])
def test_long_names_stay_in_their_panels(method, names, words):
    explanation = replace(made_up(method), class_names=names, question=Question(0, 1, (0, 1, 2)), image_id="y" * 250)
    figure = explain_figure(explanation)
    assert figure.width < 1400 and figure.height < 3000
    for lines, picture in words:
        pixels = np.asarray(picture)
        assert (pixels[:, -2:] == 255).all(), lines
    border = np.concatenate([side.reshape(-1) for side in _border(np.asarray(figure))])
    assert (border == 255).all()


def _border(figure):
    return figure[:MARGIN], figure[-MARGIN:], figure[:, : MARGIN - 1], figure[:, 1 - MARGIN :]


def test_names_are_drawn_letter_for_letter(words):
    names = [r"$\frac{$_Finch", "002.$5 vs $6", *LONG]
    explain_figure(replace(made_up(), image_id="price $5 vs $6.png", class_names=names * 2))
    said = " ".join(" ".join(lines) for lines, _ in words)
    assert "price $5 vs $6.png · " in said and r"$\frac{$ Finch" in said and "$5 vs $6  0." in said


@pytest.mark.parametrize("size", [(1, 1), (1, 2000), (2000, 1), (3, 2), (1024, 1000)])
def test_pictures_of_any_size_have_a_figure(size):
    figure = explain_figure(made_up(picture=Image.new("RGB", size, (200, 30, 90))))
    assert 1200 < figure.width < 1400 and 300 < figure.height < 2600
    assert (np.asarray(figure) == (200, 30, 90)).all(axis=-1).sum() >= 400


def test_the_file_is_the_same_each_time_and_holds_the_figure():
    first, second = (as_png(explain_figure(made_up())) for _ in range(2))
    assert first == second
    read = Image.open(io.BytesIO(first))
    assert read.mode == "RGB" and read.size == explain_figure(made_up()).size and set(read.info) == {"dpi"}
