import torch

from calm.networks.methods.min_max import min_max
from tests.expected_methods import assert_near, form, values


def test_expected_values(expected):
    assert_near(min_max(form((1, 2, 3, 3), 0.8, 0.1)), values(expected, "minmax_per_channel")["out"])


def test_constant_maps_become_zeros_with_a_finite_gradient():
    maps = torch.full((1, 2, 3, 3), 4.0, requires_grad=True)
    scaled = min_max(maps)
    assert not scaled.any()
    scaled.sum().backward()
    assert maps.grad.isfinite().all()


def test_gradient_by_finite_differences():
    assert torch.autograd.gradcheck(min_max, (form((2, 2, 3, 2), 0.8, 0.1).requires_grad_(True),))
