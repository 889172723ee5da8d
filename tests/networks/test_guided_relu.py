import pytest
import torch
import torch.nn.functional as F
from torch import nn

from calm.errors import UserError
from calm.networks.guided_relu import GuidedReLU

FORMS = {
    "module": nn.ReLU(),
    "module in place": nn.ReLU(inplace=True),
    "functional": F.relu,
    "functional in place": lambda x: F.relu(x, inplace=True),
    "torch": torch.relu,
    "torch in place": torch.relu_,
    "method": torch.Tensor.relu,
    "method in place": torch.Tensor.relu_,
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_relu(form):
    x = torch.tensor([-2.0, -1.0, 0.0, 1.0, 2.0, 3.0], requires_grad=True)
    upper = torch.tensor([1.0, -1.0, 1.0, -1.0, 5.0, 0.0])
    for guided, expected in ((True, [0, 0, 0, 0, 5, 0]), (False, [0, 0, 0, -1, 5, 0])):
        with GuidedReLU() as relus:
            relus.guided = guided
            y = FORMS[form](x * 1)
            assert y.tolist() == [0, 0, 0, 1, 2, 3]
            (gradient,) = torch.autograd.grad((y * upper).sum(), x)
        assert gradient.tolist() == expected


def test_in_place_forms_change_their_input():
    with GuidedReLU():
        x = torch.tensor([-1.0, 2.0])
        y = F.relu(x, inplace=True)
    assert y is x and x.tolist() == [0, 2]


@pytest.mark.parametrize("form", [nn.ReLU6(), nn.ReLU6(inplace=True), F.relu6])
def test_relu6_is_closed_above_six_too(form):
    x = torch.tensor([-1.0, 3.0, 7.0, 4.0], requires_grad=True)
    with GuidedReLU():
        y = form(x * 1)
        (gradient,) = torch.autograd.grad((y * torch.tensor([1.0, 1.0, 1.0, -1.0])).sum(), x)
    assert y.tolist() == [0, 3, 6, 4]
    assert gradient.tolist() == [0, 1, 0, 0]


def test_the_ordinary_rule_is_torchs_and_differentiable_twice():
    x = torch.randn(4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_(True)

    def through_relu(x):
        return F.relu(x.square() - 0.5) * x

    with GuidedReLU() as relus:
        relus.guided = False
        (ours,) = torch.autograd.grad(through_relu(x).square().sum(), x, create_graph=True)
        (again,) = torch.autograd.grad(ours.square().sum(), x)
    (plain,) = torch.autograd.grad(through_relu(x).square().sum(), x, create_graph=True)
    torch.testing.assert_close(ours, plain)
    torch.testing.assert_close(again, torch.autograd.grad(plain.square().sum(), x)[0])


@pytest.mark.parametrize(
    "activation", [nn.SiLU(), nn.GELU(), nn.LeakyReLU(), nn.Hardswish(), F.elu, nn.PReLU(), nn.Mish()]
)
def test_other_activations_are_refused(activation):
    with GuidedReLU(), pytest.raises(UserError, match="ReLU and ReLU6, and this network uses"):
        activation(torch.ones(2))
    assert torch.isfinite(activation(torch.ones(2))).all()


def test_restored_after_an_exception():
    x = torch.tensor([1.0], requires_grad=True)
    with pytest.raises(RuntimeError, match="stop"), GuidedReLU():
        raise RuntimeError("stop")
    (gradient,) = torch.autograd.grad(-F.relu(x).sum(), x)
    assert gradient.tolist() == [-1]
