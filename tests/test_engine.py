"""The training loop on a tiny network: teacher, non-finite losses, prediction."""

import copy
import math

import pytest
import torch
from torch import nn

from calm.engine import NonFiniteLoss, compile_in_place, predict, train_one_epoch
from calm.errors import UserError
from calm.networks.heads import CalmHead
from calm.networks.methods import Objective
from calm.networks.methods.calm_em import EmObjective, em_loss
from calm.networks.methods.calm_ml import marginal_loss
from calm.networks.precision import laid_out, settle_arithmetic
from tests.tiny_networks import tiny_batch, tiny_network

CPU = torch.device("cpu")


class Tiny(nn.Module):
    """Two 1x1 convolutions on the image itself."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.g, self.h, self.head = nn.Conv2d(3, 4, 1), nn.Conv2d(3, 1, 1), CalmHead()

    def forward(self, images):
        return self.head(self.g(images), self.h(images))


def batches(n=3, bad=None):
    generator = torch.Generator().manual_seed(1)
    items = [
        (torch.randn(5, 3, 2, 2, generator=generator), torch.randint(0, 4, (5,), generator=generator), torch.arange(5))
        for _ in range(n)
    ]
    if bad is not None:
        items[bad - 1][0][0] = float("nan")
    return items


def test_an_epoch_is_sgd_on_each_batch_in_turn():
    network, copy = Tiny(), Tiny()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    seen = []
    summary = train_one_epoch(
        network,
        Objective(em_loss, network),
        batches(),
        optimizer,
        device=CPU,
        on_block=lambda step, loss: seen.append((step, loss)),
    )
    losses = []
    for images, targets, _ in batches():
        loss = marginal_loss(copy(images), targets)  # the same gradient: Fisher's identity
        gradients = torch.autograd.grad(loss, list(copy.parameters()))
        losses.append(em_loss(copy(images), targets).item())
        with torch.no_grad():
            for parameter, gradient in zip(copy.parameters(), gradients, strict=True):
                parameter -= 0.1 * gradient
    assert math.isclose(summary.loss, sum(losses) / 3, rel_tol=1e-5)
    assert seen == [(step, pytest.approx(loss, rel=1e-5)) for step, loss in enumerate(losses, start=1)]
    for mine, theirs in zip(network.parameters(), copy.parameters(), strict=True):
        assert torch.allclose(mine, theirs, atol=1e-6)


@pytest.mark.parametrize("bad", [1, 2, 3])
def test_a_nan_names_its_step(bad):
    network = Tiny()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    with pytest.raises(NonFiniteLoss, match=f"step {bad}"):
        train_one_epoch(network, Objective(em_loss, network), batches(bad=bad), optimizer, device=CPU)


def test_the_teacher_is_the_moving_average():
    network = Tiny()
    objective = EmObjective(em_loss, network, em_target="ema", em_momentum=0.75)
    before = [p.clone() for p in objective.average.parameters()]
    optimizer = torch.optim.SGD(network.parameters(), lr=0.5)
    train_one_epoch(network, objective, batches(n=1), optimizer, device=CPU)
    for old, average, new in zip(before, objective.average.parameters(), network.parameters(), strict=True):
        assert torch.allclose(average, 0.75 * old + 0.25 * new)
        assert not average.requires_grad


def test_predict_yields_each_batch_without_gradients():
    network = Tiny().train()
    seen = list(predict(network, batches(), device=CPU))
    assert len(seen) == 3 and not network.training
    expected = network(batches()[1][0]).log_p_y
    assert torch.allclose(seen[1].output.log_p_y, expected)
    assert not seen[1].output.class_logits.requires_grad


def test_every_parameter_gets_a_gradient():
    network = Tiny()
    em_loss(network(batches()[0][0]), batches()[0][1]).backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in network.parameters())


def test_a_missing_compiler_is_one_sentence(monkeypatch):
    def no_compiler(function):
        raise torch._dynamo.exc.TorchDynamoException("no working compiler\n\nmore\nlines")

    monkeypatch.setattr(torch, "compile", no_compiler)
    with pytest.raises(UserError, match=r"`compile`.*no working compiler") as error:
        compile_in_place(Tiny(), CPU)
    assert "\n" not in str(error.value)


def test_compiling_keeps_output_and_names(monkeypatch):
    network, images = Tiny(), batches(1)[0][0]
    names, expected = list(network.state_dict()), network(images).log_p_y
    with_inductor = torch.compile
    monkeypatch.setattr(torch, "compile", lambda function, **_: with_inductor(function, backend="eager"))
    compile_in_place(network, CPU)
    torch.testing.assert_close(network(images).log_p_y, expected)
    assert list(network.state_dict()) == names


@pytest.mark.parametrize("method", ["CALM_EM", "LFI_CAM"])
def test_a_training_pass_is_one_graph(method):
    """A break would raise; the weights' layout makes no difference."""
    network, (images, targets) = tiny_network(method).train(), tiny_batch()
    expected = copy.deepcopy(network)(images, targets).log_p_y
    laid_out(network, CPU, channels_last=True).compile(backend="eager", fullgraph=True)
    torch.testing.assert_close(network(images, targets).log_p_y, expected)
    assert network.conv1.weight.is_contiguous(memory_format=torch.channels_last)


def test_auto_precision_is_fp32_on_a_cpu():
    kept = torch.backends.cudnn.benchmark
    found = [settle_arithmetic(CPU, name, deterministic=True, tf32=False) for name in ("auto", "fp32", "bf16")]
    assert found == ["fp32", "fp32", "bf16"] and torch.backends.cudnn.benchmark == kept


def test_products_of_float32_are_exact_unless_asked_for_or_beside_bf16():
    places = (torch.backends.cuda.matmul, torch.backends.cudnn.conv)
    kept = [place.fp32_precision for place in places]
    wanted = {("fp32", False): "ieee", ("fp32", True): "tf32", ("bf16", False): "tf32"}
    try:
        for (precision, tf32), products in wanted.items():
            settle_arithmetic(torch.device("cuda"), precision, deterministic=False, tf32=tf32)
            assert [place.fp32_precision for place in places] == [products] * 2
    finally:
        torch.backends.cudnn.benchmark = False
        for place, products in zip(places, kept, strict=True):
            place.fp32_precision = products
