"""What changes the weights, and how fast: torch's optimizers under the names of the flags."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from torch.optim import SGD, AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR

from calm.errors import UserError
from calm.training.schedules import Course, rate_factor


def sgd(groups: Sequence[dict[str, Any]], *, lr: float, momentum: float, weight_decay: float, fused: bool) -> Optimizer:
    """SGD with Nesterov momentum (paper, Section 5)."""
    nesterov = momentum > 0
    return SGD(groups, lr=lr, momentum=momentum, weight_decay=weight_decay, nesterov=nesterov, fused=fused or None)


def adamw(
    groups: Sequence[dict[str, Any]], *, lr: float, momentum: float, weight_decay: float, fused: bool
) -> Optimizer:
    """Adam with decoupled weight decay and torch's own betas; ``momentum`` has no effect."""
    return AdamW(groups, lr=lr, weight_decay=weight_decay, fused=fused or None)


OPTIMIZERS = {"sgd": sgd, "adamw": adamw}
"""Name -> (groups of parameters, ...) -> optimizer."""


def build_optimizer(
    name: str,
    groups: Sequence[dict[str, Any]],
    *,
    lr: float,
    momentum: float,
    weight_decay: float,
    fused: bool = False,
) -> Optimizer:
    """An optimizer whose groups remember their first learning rate as ``initial_lr``.

    Args:
        name: a key of ``OPTIMIZERS``.
        groups: of parameters, each with its ``lr``.
        lr: of a group without one.
        momentum: of SGD.
        weight_decay: of every parameter.
        fused: one kernel for all parameters, for a GPU.
    """
    optimizer = OPTIMIZERS[name](groups, lr=lr, momentum=momentum, weight_decay=weight_decay, fused=fused)
    for group in optimizer.param_groups:
        group["initial_lr"] = group["lr"]
    return optimizer


def build_scheduler(optimizer: Optimizer, *, schedule: str, course: Course, epoch: int) -> LambdaLR:
    """The learning rate of every step after ``epoch`` epochs; it has no state beyond the number of steps.

    Raises:
        UserError: the warm-up is as long as the training.
    """
    if course.warmup_epochs >= course.epochs:
        raise UserError(f"`warmup_epochs`={course.warmup_epochs} leaves nothing of `epochs`={course.epochs}")
    factor = partial(rate_factor, schedule=schedule, course=course)
    return LambdaLR(optimizer, factor, last_epoch=epoch * course.steps - 1)
