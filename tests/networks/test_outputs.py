"""Laws of the distributions, and of their stable log-space forms."""

import pytest
import torch

from calm.errors import UserError
from calm.networks.heads import CalmHead, log_softplus
from calm.networks.outputs import CalmOutput
from tests.tiny_networks import tiny_batch, tiny_network

K, H, W = 5, 3, 4


@pytest.fixture(params=["softplus", "relu"])
def output(request) -> CalmOutput:
    generator = torch.Generator().manual_seed(0)
    g = torch.randn(2, K, H, W, generator=generator) * 3
    h = torch.randn(2, 1, H, W, generator=generator)
    return CalmHead(prior_activation=request.param)(g, h)


def test_conditional_sums_to_one_over_classes(output):
    assert torch.allclose(output.log_p_y_given_xz.exp().sum(1), torch.ones(2, H, W))


def test_prior_joint_and_posterior_sum_to_one(output):
    ones = torch.ones(2)
    assert torch.allclose(output.log_p_z_given_x.exp().sum((1, 2, 3)), ones)
    assert torch.allclose(output.log_joint.exp().sum((1, 2, 3)), ones)
    assert torch.allclose(output.log_posterior.exp().sum((2, 3)), torch.ones(2, K))


def test_completeness_and_bayes(output):
    p_y = output.log_p_y.exp()
    joint = output.log_joint.exp()
    assert torch.allclose(joint.sum((2, 3)), p_y)
    assert torch.allclose(output.log_posterior.exp() * p_y[:, :, None, None], joint)


def test_a_constant_on_all_class_logits_changes_nothing(output):
    shifted = output._replace(class_logits=output.class_logits + 7.0)
    assert torch.allclose(shifted.log_joint, output.log_joint, atol=1e-5)


def test_target_row_equals_the_joint_and_its_gradient():
    generator = torch.Generator().manual_seed(1)
    g = torch.randn(3, K, H, W, generator=generator, dtype=torch.float64, requires_grad=True)
    prior = torch.randn(3, 1, H, W, generator=generator, dtype=torch.float64)
    targets = torch.tensor([0, 4, 2])
    weights = torch.randn(3, H, W, generator=generator, dtype=torch.float64)
    output = CalmOutput(g, prior)
    slow = output.log_joint[torch.arange(3), targets]
    fast = output.log_joint_of(targets)
    assert torch.allclose(fast, slow)
    (slow_gradient,) = torch.autograd.grad((slow * weights).sum(), g)
    (fast_gradient,) = torch.autograd.grad((fast * weights).sum(), g)
    assert torch.allclose(fast_gradient, slow_gradient)


def test_log_softplus_where_softplus_underflows():
    h = torch.tensor([-1e4, -200.0, -15.0, -14.9, 0.0, 5.0, 1e4])
    exact = torch.where(h.double() < -30, h.double(), h.double().exp().log1p().log())
    exact[-1] = torch.tensor(1e4, dtype=torch.float64).log()
    assert torch.allclose(log_softplus(h).double(), exact, rtol=1e-6)


def test_relu_prior_is_the_released_formula():
    h = torch.tensor([[[[-1.0, 2.0], [3.0, 0.0]]]])
    prior = CalmHead(prior_activation="relu")(torch.zeros(1, 2, 2, 2), h).log_p_z_given_x.exp()
    assert torch.allclose(prior, torch.tensor([[[[0.0, 0.4], [0.6, 0.0]]]]))


def test_detached_sum_stops_the_normaliser_s_gradient():
    h = torch.rand(1, 1, 2, 2) + 0.5
    gradients = {}
    for detach in (False, True):
        leaf = h.clone().requires_grad_()
        head = CalmHead(prior_activation="relu", detach_prior_sum=detach)
        head(torch.zeros(1, 2, 2, 2), leaf).log_p_z_given_x.exp()[0, 0, 0, 0].backward()
        gradients[detach] = leaf.grad[0, 0]
    total = h.sum()
    assert torch.allclose(gradients[True], torch.tensor([[1 / total, 0], [0, 0]]))
    assert torch.allclose(gradients[False][1, 1], -h[0, 0, 0, 0] / total**2)


def test_the_score_of_a_target_is_its_row_of_all_scores():
    images, targets = tiny_batch(3)
    for method, has_prior in (("CAM", False), ("CALM_ML", True)):
        output = tiny_network(method)(images)
        torch.testing.assert_close(output.score_of(targets), output.class_scores[torch.arange(3), targets])
        assert output.has_prior is has_prior and output.class_maps is output[0]


def test_the_temperature_leads_from_the_softplus_prior_to_the_relu_prior():
    h = torch.tensor([-2.0, 0.5, 1.0, 3.0], dtype=torch.float64).view(1, 1, 2, 2)
    g = torch.zeros(1, 2, 2, 2, dtype=torch.float64)

    def prior(**options) -> torch.Tensor:
        return CalmHead(**options)(g, h).log_p_z_given_x.exp().flatten()

    for temperature in (0.5, 1.0, 4.0):
        value = (1 + (h.flatten() / temperature).exp()).log()
        assert torch.allclose(prior(prior_temperature=temperature), value / value.sum())
    assert torch.allclose(prior(prior_temperature=0.01), prior(prior_activation="relu"), atol=1e-9)
    for wrong in ({"prior_temperature": 0.0}, {"prior_temperature": 0.5, "prior_activation": "relu"}):
        with pytest.raises(UserError, match="prior_temperature"):
            CalmHead(**wrong)
