"""The trunk's features of a batch, computed once for all who read them: several heads, and maps of the CAM family."""

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor, nn

_first_pass: ContextVar[list[tuple[list[nn.Module], Tensor, Tensor]] | None] = ContextVar("_first_pass", default=None)


@contextmanager
def features_shared() -> Generator[None, None, None]:
    """In the block the features of the first pass are kept, for those who ask for the same images again."""
    token = _first_pass.set([])
    try:
        yield
    finally:
        _first_pass.reset(token)


def features_of(network: Any, images: Tensor) -> Tensor:
    """``network.features``, [B,3,H,W] -> [B,C,h,w]; without gradients and in ``features_shared``, the kept ones.

    They are those of the same tensor of images and the same modules of a trunk, whatever the head.
    """
    if torch.compiler.is_compiling() or torch.is_grad_enabled() or (first := _first_pass.get()) is None:
        return network.features(images)
    trunk = [module for name, module in network.named_children() if name not in network.head_layers]
    if not first:
        first.append((trunk, images, network.features(images)))
    known_trunk, known_images, features = first[0]
    return features if images is known_images and trunk == known_trunk else network.features(images)
