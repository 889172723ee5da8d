"""Losses against slow formulas; Fisher's identity; extremes."""

import pytest
import torch

from calm.networks.heads import CalmHead, CamHead
from calm.networks.methods import METHODS
from calm.networks.methods.calm_em import em_loss
from calm.networks.methods.calm_ml import marginal_loss
from calm.networks.methods.cam import cam_loss

B, K, H, W = 3, 6, 4, 5


def branches(dtype=torch.float64, scale=1.0):
    generator = torch.Generator().manual_seed(0)
    g = torch.randn(B, K, H, W, generator=generator, dtype=dtype) * scale
    h = torch.randn(B, 1, H, W, generator=generator, dtype=dtype) * scale
    return g.requires_grad_(), h.requires_grad_()


TARGETS = torch.tensor([1, 5, 0])


@pytest.mark.parametrize("activation", ["softplus", "relu"])
@pytest.mark.parametrize("detach", [False, True])
def test_em_gradient_is_ml_gradient(activation, detach):
    head = CalmHead(prior_activation=activation, detach_prior_sum=detach)
    gradients = []
    for loss in (marginal_loss, em_loss):
        g, h = branches()
        loss(head(g, h), TARGETS).backward()
        gradients.append((g.grad, h.grad))
    for ml, em in zip(*gradients, strict=True):
        assert torch.allclose(ml, em, rtol=1e-10, atol=1e-14)
        assert ml.abs().max() > 1e-3


def test_losses_equal_the_paper_s_formulas():
    g, h = branches()
    conditional, prior = g.softmax(1), torch.nn.functional.softplus(h)
    joint = conditional * prior / prior.sum((2, 3), keepdim=True)
    of_target = joint[torch.arange(B), TARGETS]
    eq4 = -of_target.sum((1, 2)).log().mean()
    q = of_target / of_target.sum((1, 2), keepdim=True)
    eq6 = -(q * of_target.log()).sum((1, 2)).mean()
    output = CalmHead()(g, h)
    assert torch.allclose(marginal_loss(output, TARGETS), eq4)
    assert torch.allclose(em_loss(output, TARGETS), eq6)
    cam = CamHead()(g)
    eq1 = torch.nn.functional.cross_entropy(g.mean((2, 3)), TARGETS)
    assert torch.allclose(cam_loss(cam, TARGETS), eq1)


def test_em_takes_a_teacher_s_posterior():
    g, h = branches()
    output = CalmHead()(g, h)
    uniform = torch.full((B, H, W), 1 / (H * W), dtype=torch.float64)
    expected = -output.log_joint[torch.arange(B), TARGETS].mean((1, 2)).mean()
    assert torch.allclose(em_loss(output, TARGETS, uniform), expected)


@pytest.mark.parametrize("method", ["CALM_ML", "CALM_EM", "CAM"])
@pytest.mark.parametrize("activation", ["softplus", "relu"])
@pytest.mark.parametrize("value", [1e4, -1e4, 0.0])
def test_extreme_logits_and_a_dead_prior_stay_finite(method, activation, value):
    method = METHODS[method]
    g = torch.full((B, K, H, W), -value)
    g[:, 1] = value
    h = torch.full((B, 1, H, W), -abs(value))  # relu: a prior of all zeros
    g.requires_grad_()
    h.requires_grad_()
    prior = {"prior_activation": activation, "detach_prior_sum": activation == "relu"} if method.needs_prior else {}
    head = method.head(**prior)
    loss = method.loss(head(g, h) if method.needs_prior else head(g), TARGETS)
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(g.grad).all()
    assert h.grad is None or torch.isfinite(h.grad).all()


@pytest.mark.parametrize("method", ["CALM_ML", "CALM_EM", "CAM"])
def test_bf16_features_give_a_float32_loss(method):
    head, loss_of = METHODS[method][:2]
    g, h = (x.detach().bfloat16().requires_grad_() for x in branches(torch.float32, scale=30))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = loss_of(head()(g, h) if head.uses_prior else head()(g), TARGETS)
    loss.backward()
    assert loss.dtype == torch.float32
    assert torch.isfinite(loss)
    assert torch.isfinite(g.grad).all()


def test_the_backward_pass_keeps_no_second_class_tensor():
    g, h = branches(torch.float32)
    saved = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: saved.append(t) or t, lambda t: t):
        em_loss(CalmHead()(g, h), TARGETS)
    full = {t.data_ptr() for t in saved if t.numel() >= g.numel()}
    assert full <= {g.data_ptr()}
