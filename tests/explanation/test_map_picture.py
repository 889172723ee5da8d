"""The colours of a map over its picture, by the formula."""

import matplotlib
import numpy as np
import pytest
from PIL import Image

from calm.explanation.cells import Cells
from calm.explanation.map_picture import map_picture, scale_of

VIRIDIS = matplotlib.colormaps["viridis"]


@pytest.mark.parametrize("level", [0, 60, 255])
def test_a_map_s_ends_are_the_palette_s_over_the_grey_picture(level):
    values = np.array([[0.0, 0.02], [0.01, 0.0]], np.float32)
    drawn = map_picture(Image.new("RGB", (9, 6), (level,) * 3), values, scale_of(values, signed=False), size=(90, 60))
    assert drawn.shape == (60, 90, 3) and drawn.dtype == np.uint8
    under = 255 * 0.12 + 0.88 * level
    for (row, column), share in (((0, 0), 0.0), ((0, -1), 1.0), ((-1, 0), 0.5)):
        expected = 0.65 * 255 * np.array(VIRIDIS(share)[:3]) + 0.35 * under
        assert np.abs(drawn[row, column] - expected).max() <= 1


@pytest.mark.parametrize("level", [0, 255])
def test_a_signed_map_is_red_and_blue_to_one_extent_and_near_white_at_zero(level):
    values = np.array([[3.0, 0.0], [0.0, -1.5]])
    drawn = map_picture(Image.new("RGB", (4, 4), (level,) * 3), values, scale_of(values, signed=True), size=(40, 40))
    under = 0.55 * 255 + 0.45 * (255 * 0.12 + 0.88 * level)
    assert np.abs(drawn[0, -1] - (0.8 * 255 + 0.2 * under)).max() <= 1 and drawn[0, -1].min() > 0.9 * 255
    assert np.abs(drawn[0, 0] - (0.8 * np.array([0x67, 0x00, 0x1F]) + 0.2 * under)).max() <= 1
    assert np.abs(drawn[-1, -1] - (0.8 * np.array([0x43, 0x93, 0xC3]) + 0.2 * under)).max() <= 2  # a quarter of the way


def test_scales():
    joint, scores = np.array([[0.1, 0.3]]), np.array([[-2.0, 1.0]])
    assert scale_of(joint, signed=False)[:2] == (0.0, 0.3) and scale_of(joint, signed=False, high=0.9)[:2] == (0.0, 0.9)
    assert scale_of(scores, signed=False)[:2] == (-2.0, 1.0) and scale_of(scores, signed=True)[:2] == (-2.0, 2.0)
    zeros = scale_of(np.zeros((2, 2)), signed=True)
    assert zeros.high > zeros.low


def test_a_cell_has_its_colour_where_it_looks():
    values = np.zeros((4, 4))
    values[1, 2] = 1.0
    cells = Cells(step=0.2, first=0.1)  # centres at 0.1, 0.3, 0.5, 0.7 of the sides
    scale = scale_of(values, signed=False)
    drawn = map_picture(Image.new("RGB", (5, 5)), values, scale, size=(200, 100), cells=cells)
    yellow = drawn[..., 1].astype(int) - drawn[..., 2]
    row, column = np.unravel_index(yellow.argmax(), yellow.shape)
    assert abs(row + 0.5 - 30) <= 1 and abs(column + 0.5 - 100) <= 1
