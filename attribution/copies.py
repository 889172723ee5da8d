"""Altered copies of a batch: their noise, and how they share passes of the network."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

Noise = Callable[[int, torch.Size], Tensor]
"""(k, shape [B,3,H,W]) -> the k-th standard normal draw, of that shape or of one image for all of the batch."""


def seeded_noise(seed: int, device: torch.device) -> Noise:
    """Draws on the device itself, one after the other; a CPU and a GPU draw different numbers.

    All images of a batch share their k-th draw, so that a map does not depend on the batch it is in.
    """
    generator = torch.Generator(device).manual_seed(seed)

    def draw(k: int, shape: torch.Size) -> Tensor:
        return torch.randn(shape[1:], generator=generator, device=device)

    return draw


def passes(copies: Iterator[Tensor], targets: Tensor, images_per_pass: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Join copies of a batch: (images [n*B,3,H,W], classes [n*B]), n as large as ``images_per_pass`` has room for.

    Args:
        copies: of the batch, [B,3,H,W] each.
        targets: [B] class indices.
        images_per_pass: of the network; one copy always goes.
    """
    per_pass = max(1, images_per_pass // max(1, len(targets)))
    while group := [copy for _, copy in zip(range(per_pass), copies)]:
        yield torch.cat(group), targets.repeat(len(group))
