import pytest
import torch

from calm.networks.methods.adl import attend_or_drop, drop_mask, importance_map
from tests.expected_methods import assert_near, form, values


def test_expected_values(expected):
    file = values(expected, "adl")
    x = form((2, 3, 4, 5), 0.7, 0.3) + 0.4
    assert_near(importance_map(x).amax(dim=(1, 2, 3)).logit(), file["attention_max_per_image"])
    for name, case in file["results"].items():
        if name == "eval_is_identity":
            continue
        rate, threshold = file["params"]["drop_rate"], file["params"]["drop_threshold"]
        out = attend_or_drop(x, case["uniform_draw"], adl_drop_rate=rate, adl_threshold=threshold)
        assert_near(out.sum(), case["sum"])
        assert_near(out.square().sum(), case["sum_sq"])
        assert_near(out[0, :, 1, 2], case["out[0,:,1,2]"])
        assert (out == 0).all(dim=1).sum(dim=(1, 2)).tolist() == case["zero_cells_per_image"]


def test_cell_by_cell():
    x = torch.randn(2, 4, 3, 5, generator=torch.Generator().manual_seed(0))
    dropped = attend_or_drop(x, 0.9, adl_drop_rate=0.5, adl_threshold=0.6)
    attended = attend_or_drop(x, 0.1, adl_drop_rate=0.5, adl_threshold=0.6)
    for b in range(2):
        high = max(float(x[b, :, i, j].mean()) for i in range(3) for j in range(5))
        for i in range(3):
            for j in range(5):
                mean = x[b, :, i, j].mean()
                torch.testing.assert_close(dropped[b, :, i, j], x[b, :, i, j] * float(mean < 0.6 * high))
                torch.testing.assert_close(attended[b, :, i, j], x[b, :, i, j] / (1 + torch.exp(-mean)))


def test_nothing_is_dropped_below_zero():
    assert drop_mask(-torch.rand(2, 3, 4, 4) - 0.1, 0.8).all()


@pytest.mark.parametrize("draw", [0.0, 0.9])
def test_gradient_by_finite_differences(draw):
    x = (form((2, 3, 2, 3), 0.9, 0.2) + 0.3).requires_grad_(True)
    assert torch.autograd.gradcheck(lambda y: attend_or_drop(y, draw, adl_drop_rate=0.5, adl_threshold=0.8), (x,))


@pytest.mark.parametrize(("rate", "masked"), [(0.0, False), (1.0, True)])
def test_the_rate_is_that_of_the_mask(rate, masked):
    """Rate 0 never drops, rate 1 always does, whatever the draw."""
    x = torch.rand(1, 2, 3, 3) + 0.1
    expected = x * (drop_mask(x, 0.5) if masked else importance_map(x))
    for draw in (0.0, 0.3, 0.999):
        assert torch.equal(attend_or_drop(x, draw, adl_drop_rate=rate, adl_threshold=0.5), expected)
