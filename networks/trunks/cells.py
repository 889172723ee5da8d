"""Where the cells of a feature map look: the centres of their receptive fields, from kernel, stride and padding.

In pixels of the input, pixel 0 centred at 0, cell i is centred on ``offset + stride * i``. A window of k inputs that
begins p before the first is centred on (k - 1) / 2 - p, in units of the distance between its inputs. Only paths that
are centred alike may be joined, and padding should be the same on both sides.
"""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

Window = tuple[int, int, int]
"""Kernel, stride and padding of a convolution or pool, along one axis."""


def cell_grid(windows: Iterable[Window]) -> tuple[int, float]:
    """(stride, offset) in pixels of the input, of the cells after all ``windows`` in turn."""
    stride, offset = 1, 0.0
    for kernel, step, padding in windows:
        offset += ((kernel - 1) / 2 - padding) * stride
        stride *= step
    return stride, offset


def measured_offset(features: Callable[[Tensor], Tensor], stride: int, *, side: int = 384, images: int = 2) -> float:
    """The offset of ``cell_grid``, from the gradients of two cells by noise; within one or two pixels.

    The receptive field of a deep network is cut by the borders of the image, which pulls the gradient's centre of mass
    to the middle. Two cells at either side of it, pulled alike, are too near to each other by the factor of the pull.

    Args:
        features: of an untrained network in evaluation mode, on the CPU.
        stride: pixels between neighbouring cells.
        side: of the images in pixels; more is more precise.
        images: averaged over.
    """
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(images, 3, side, side, generator=generator, requires_grad=True)
    with torch.enable_grad():
        maps = features(noise)
    cell, reach = maps.shape[-1] // 2, max(1, side // 8 // stride)
    weights = torch.randn(maps.shape[1], generator=generator)
    first, last = (_gradient_centre(maps[:, :, c, c] @ weights, noise) for c in (cell - reach, cell + reach))
    kept = (last - first) / (2 * reach * stride)
    middle = (side - 1) / 2
    return middle + ((first + last) / 2 - middle) / kept - stride * cell


def _gradient_centre(scores: Tensor, images: Tensor) -> float:
    """Centre of mass of |d scores / d images|, in pixels, averaged over both axes."""
    (gradient,) = torch.autograd.grad(scores.sum(), images, retain_graph=True)
    mass = gradient.abs().sum(dim=(0, 1)).double()
    position = torch.arange(len(mass), dtype=torch.double)
    return float(((mass.sum(0) + mass.sum(1)) * position).sum() / (2 * mass.sum()))
