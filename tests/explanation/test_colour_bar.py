"""A colour bar in figures: round ticks, labels that say them, and colours where they belong."""

import numpy as np
import pytest
from matplotlib.ticker import MaxNLocator

from calm.explanation.colour_bar import SUPERSCRIPT, colour_bar, round_ticks
from calm.explanation.lettering import INK
from calm.explanation.map_picture import Scale
from calm.pictures.palettes import DIVERGING

RANGES = np.random.default_rng(0).uniform([-44, 0], [38, 1], (200, 2))


@pytest.mark.parametrize("lowest", [0.0, -1.0, -0.3, -40.0])
def test_ticks_are_those_of_matplotlib_and_labels_say_them(lowest):
    for power, share in RANGES:
        same_ticks(lowest * 10**power * (share if lowest != -1 else 1), 10**power)


def same_ticks(low, high):
    ticks = round_ticks(low, high)
    theirs = MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    inside = theirs[(theirs >= low - 1e-9 * (high - low)) & (theirs <= high + 1e-9 * (high - low))]
    np.testing.assert_allclose(ticks.values, inside, rtol=1e-9, atol=1e-9 * (high - low))
    said = [float(label.replace("−", "-")) for label in ticks.labels]
    np.testing.assert_allclose(np.array(said) * 10.0**ticks.power, ticks.values, rtol=1e-6, atol=1e-9 * (high - low))
    assert max(map(len, ticks.labels)) <= 8 and 0.0 in said


def test_a_small_scale_has_its_power_of_ten_apart():
    assert round_ticks(0, 0.0025) == ([0.0, 0.001, 0.002], ["0.000", "0.001", "0.002"], 0)
    assert round_ticks(-0.5, 0.5).labels == ["−0.50", "−0.25", "0.00", "0.25", "0.50"]
    ticks = round_ticks(0, 3e-7)
    assert (ticks.labels, ticks.power) == (["0", "1", "2", "3"], -7)
    assert str(ticks.power).translate(SUPERSCRIPT) == "⁻⁷"


def test_the_bar_has_the_palette_from_end_to_end():
    bar = np.asarray(colour_bar(Scale(-2.0, 2.0, signed=True), "score", 400)).astype(int)
    frame = [int(INK[place : place + 2], 16) for place in (1, 3, 5)]
    (left, *_, right) = np.flatnonzero((bar[0] == frame).all(axis=-1))
    inside = bar[7, left + 1 : right]
    shares = (np.arange(len(inside)) + 1.5) / (len(inside) + 2)
    assert np.abs(inside - DIVERGING[(shares * 257).astype(int)]).max() <= 4
    assert (bar[7, (left + right) // 2] >= 250).all()
    assert (bar[:, :8] == 255).all() and (bar[:, -8:] == 255).all()
