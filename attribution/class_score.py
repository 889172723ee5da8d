"""The scalar that attributions differentiate or watch: mean_z g for CAM, log p(y|x) for CALM."""

from collections.abc import Generator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


def image_gradient(module: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
    """d score_b / d images_b, [B,3,H,W], one class per sample.

    Works inside ``no_grad`` and ``inference_mode`` too, and leaves every ``.grad`` alone.
    """
    with torch.inference_mode(False), torch.enable_grad():
        inputs = images.detach().clone().requires_grad_(True)
        score = module(inputs).score_of(targets.clone()).sum()
        return torch.autograd.grad(score, inputs)[0]


@contextmanager
def evaluating(module: nn.Module) -> Generator[None, None, None]:
    """The module in eval mode, every submodule's own mode given back at the end, also after an exception."""
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for part, training in modes:
            part.training = training
