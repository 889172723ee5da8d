"""Optimizers, schedules, a frozen trunk, smoothed labels, averaged weights: what they are, and that they resume."""

import math

import pytest
import torch

from calm import config
from calm.distributed import Process
from calm.engine import train_one_epoch
from calm.errors import UserError
from calm.networks.methods import METHODS, build_objective
from calm.networks.outputs import CamOutput
from calm.training import state
from calm.training.optimizers import build_optimizer, build_scheduler
from calm.training.schedules import Course, rate_factor
from calm.training.state import TRAINED, build_training
from tests.tiny_networks import tiny_batch, tiny_network

CPU = torch.device("cpu")
EVERYTHING = ["--optimizer=adamw", "--schedule=cosine", "--warmup_epochs=1", "--model_ema_decay=0.9"]


class Batches(list):
    """Six batches of tiny images, as a loader gives them."""

    def __init__(self) -> None:
        super().__init__((*tiny_batch(4, seed=seed), torch.arange(4)) for seed in range(6))


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    """Trainings are of a tiny network."""
    monkeypatch.setattr(state, "initial_network", lambda args, classes: tiny_network(args.attribution_method).train())


def begun(words, content=None):
    args = config.parse(["--seed=0", "--epochs=3", *words], "main")
    training = build_training(args, 5, Process(0, 1, CPU))
    if content is not None:
        training.restore(content)
    training.plan(args, len(Batches()))
    return training, args


def train_up_to(training, epoch):
    """Rates of the first group at every step."""
    rates = []

    def after_step():
        rates.append(training.learning_rate)
        training.after_step()

    while training.epoch < epoch:
        train_one_epoch(
            training.wrapped, training.objective, Batches(), training.optimizer, device=CPU, after_step=after_step
        )
        training.epoch += 1
    return rates


def assert_equal(one, other):
    assert list(one) == list(other)
    for name, value in one.items():
        assert torch.equal(value, other[name]), name


@pytest.mark.parametrize(
    "words",
    [
        EVERYTHING,
        [*EVERYTHING, "--attribution_method=CALM_EM", "--em_target=ema", "--freeze_trunk"],
        ["--label_smoothing=0.1", "--lr_decay_frequency=2"],
    ],
)
def test_a_resumed_training_is_the_uninterrupted_one(words):
    whole, args = begun(words)
    rates = train_up_to(whole, 3)
    half, _ = begun(words)
    first = train_up_to(half, 1)
    content = half.state(args, ["a"] * 5)
    again, _ = begun(words, content)
    assert first + train_up_to(again, 3) == rates
    for entry in ("state_dict", *([TRAINED] if "--model_ema_decay=0.9" in words else [])):
        assert_equal(again.state(args, [])[entry], whole.state(args, [])[entry])


def test_without_options_a_step_is_nesterov_s_and_the_rate_falls_at_epochs_2_and_4():
    training, _ = begun(["--lr_decay_frequency=2", "--epochs=4"])
    optimizer = training.optimizer
    assert type(optimizer) is torch.optim.SGD and training.average is None
    assert {key: optimizer.defaults[key] for key in ("momentum", "nesterov", "weight_decay")} == {
        "momentum": 0.9,
        "nesterov": True,
        "weight_decay": 1e-4,
    }
    rates = train_up_to(training, 4)
    assert rates[::6] == [0.01, 0.01 * 0.1**1, 0.01 * 0.1**1, 0.01 * 0.1**2]
    assert all(rates[6 * epoch + step] == rates[6 * epoch] for epoch in range(4) for step in range(6))


def test_a_cosine_follows_a_warm_up_that_rises_step_by_step():
    course = Course(steps=4, epochs=5, warmup_epochs=2)
    factors = [rate_factor(step, schedule="cosine", course=course) for step in range(21)]
    assert factors[:8] == [number / 8 for number in range(1, 9)]
    assert factors[8] == 1 and factors[14] == pytest.approx(0.5) and factors[20] == pytest.approx(0, abs=1e-12)
    assert factors[10] == pytest.approx((1 + math.cos(math.pi / 6)) / 2)
    warm = [rate_factor(step, schedule="step", course=course._replace(decay_frequency=3)) for step in range(20)]
    assert warm[:8] == factors[:8] and warm[8:] == [0.1] * 12
    with pytest.raises(UserError, match="`warmup_epochs`=5 leaves nothing of `epochs`=5"):
        begun(["--warmup_epochs=5", "--epochs=5"])


def test_both_rates_go_down_together():
    weights = [torch.nn.Parameter(torch.zeros(1)) for _ in range(2)]
    groups = [{"params": [weights[0]], "lr": 0.1}, {"params": [weights[1]], "lr": 1.0}]
    optimizer = build_optimizer("adamw", groups, lr=0.1, momentum=0.9, weight_decay=0.05)
    assert type(optimizer) is torch.optim.AdamW and optimizer.defaults["weight_decay"] == 0.05
    build_scheduler(optimizer, schedule="cosine", course=Course(steps=2, epochs=2), epoch=1)
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([0.05, 0.5])


def test_adamw_has_rates_of_its_own():
    args = config.parse(["--optimizer=adamw"], "main")
    assert (args.lr, args.weight_decay) == (1e-4, 1e-2)
    assert config.parse(["--optimizer=adamw", "--lr=0.1"], "main").lr == 0.1
    with pytest.raises(UserError, match="--model_ema_decay"):
        config.parse(["--model_ema_decay=1"], "main")


def test_a_frozen_trunk_stays_and_the_head_learns():
    training, _ = begun(["--freeze_trunk", "--attribution_method=CALM_ML"])
    before = {name: value.clone() for name, value in training.network.state_dict().items()}
    train_up_to(training, 1)
    changed = {
        name.split(".")[0] for name, value in training.network.state_dict().items() if (value != before[name]).any()
    }
    assert changed == {"conv_last", "attention"}
    assert [len(group["params"]) for group in training.optimizer.param_groups] == [4]
    with pytest.raises(UserError, match="`freeze_trunk`: ADL"):
        begun(["--freeze_trunk", "--attribution_method=ADL"])


def test_the_average_is_what_is_measured_and_kept():
    training, args = begun(["--model_ema_decay=0.75"])
    wanted = None

    def after_step():
        nonlocal wanted
        training.after_step()
        now = {name: value.double() for name, value in training.network.state_dict().items()}
        wanted = now if wanted is None else {name: 0.75 * wanted[name] + 0.25 * now[name] for name in now}

    train_one_epoch(
        training.wrapped, training.objective, Batches(), training.optimizer, device=CPU, after_step=after_step
    )
    content = training.state(args, [])
    assert training.evaluated is training.average.module and not training.evaluated.training
    assert_equal(content["state_dict"], training.evaluated.state_dict())
    assert_equal(content[TRAINED], training.network.state_dict())
    for name, value in content["state_dict"].items():
        if value.is_floating_point():
            torch.testing.assert_close(value.double(), wanted[name], rtol=1e-5, atol=1e-7)


def test_smoothed_labels_belong_to_cam():
    output = CamOutput(torch.randn(4, 5, 3, 3, generator=torch.Generator().manual_seed(0)))
    targets = torch.tensor([0, 4, 2, 2])
    objective = build_objective("CAM", tiny_network("CAM"), {"label_smoothing": 0.2})
    share = torch.full((4, 5), 0.2 / 5)
    share[range(4), targets] += 0.8
    torch.testing.assert_close(objective.loss(output, targets), -(share * output.log_p_y).sum(1).mean())
    plain = build_objective("CAM", tiny_network("CAM"), {})
    assert torch.equal(plain.loss(output, targets), METHODS["CAM"].loss(output, targets))
    with pytest.raises(UserError, match=r"`label_smoothing`=0\.2 belongs to CAM, not to CALM_EM"):
        build_objective("CALM_EM", tiny_network("CALM_EM"), {"label_smoothing": 0.2})
