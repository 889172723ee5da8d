import numpy as np
import pytest
import torch

from calm.attribution.score_map import resize
from calm.explanation.cells import Cells
from tests.tiny_networks import tiny_network


def test_tiles_are_the_usual_resize_and_their_boxes_cover_the_picture():
    maps = torch.randn(2, 5, 5, generator=torch.Generator().manual_seed(0))
    tiles = Cells.tiles(5)
    torch.testing.assert_close(tiles.laid(maps, 40), resize(maps, 40))
    assert tiles.box(0, 4) == pytest.approx((0.8, 0.0, 1.0, 0.2))


def test_a_cell_is_drawn_on_the_pixel_that_it_looks_at():
    cells = Cells.of(tiny_network("CAM"), 12)  # stride 2, first centre on pixel 0
    assert cells == pytest.approx((2 / 12, 0.5 / 12))
    ramp = torch.arange(0.0, 12.0, 2.0).expand(1, 6, 6)  # each cell's value is its pixel
    drawn = cells.laid(ramp, 12)[0, 3]
    np.testing.assert_allclose(drawn, [*range(11), 10], atol=1e-5)
    np.testing.assert_allclose(cells.laid(ramp, 24)[0, 0, 2:20], np.arange(2, 20) / 2 - 0.25, atol=1e-5)
    assert cells.box(0, 1) == pytest.approx((1.5 / 12, 0.0, 3.5 / 12, 1.5 / 12))  # cut at the upper border
