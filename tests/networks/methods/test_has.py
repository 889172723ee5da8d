import pytest
import torch

from calm.networks.methods.has import hide, hide_mask, squares
from tests.expected_methods import values


def test_expected_counts(expected):
    for case in values(expected, "has")["results"]:
        batch, _, height, width = case["size"]
        side = case["grid_size_px"]
        shape = (batch, squares(height, side), squares(width, side))
        index = torch.arange(torch.Size(shape).numel(), dtype=torch.float64)
        draws = (0.5 + 0.5 * torch.sin(2.3 * index + 0.4)).view(shape)
        mask = hide_mask(draws, height, width, has_grid_size=side, has_drop_rate=case["drop_rate"])
        assert mask.sum(dim=(1, 2, 3)).tolist() == case["hidden_pixels_per_image"]
        cells = mask[:, 0, ::side, ::side].flatten(1).int().tolist()
        assert cells == case["hidden_cells_row_major"]


@pytest.mark.parametrize(("height", "width", "side"), [(7, 11, 3), (8, 8, 4), (5, 9, 20), (6, 4, 1)])
def test_hidden_pixels_pixel_by_pixel(height, width, side):
    generator = torch.Generator().manual_seed(3)
    images = torch.randn(2, 3, height, width, generator=generator) + 5  # none is 0
    draws = torch.rand(2, squares(height, side), squares(width, side), generator=generator)
    before = images.clone()
    hidden = hide(images, draws, has_grid_size=side, has_drop_rate=0.4)
    assert torch.equal(images, before)
    for b in range(2):
        for y in range(height):
            for x in range(width):
                expected = 0 * images[b, :, y, x] if draws[b, y // side, x // side] <= 0.4 else images[b, :, y, x]
                assert torch.equal(hidden[b, :, y, x], expected)


def test_a_draw_equal_to_the_rate_hides():
    mask = hide_mask(torch.tensor([[[0.25, 0.5]]]), 2, 4, has_grid_size=2, has_drop_rate=0.25)
    assert mask[0, 0, 0].tolist() == [True, True, False, False]
