"""CutMix (Yun et al., ICCV 2019): a box of another image pasted into each image, the labels mixed by area."""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor


class Box(NamedTuple):
    """Rows top..bottom-1 and columns left..right-1."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def area(self) -> int:
        """In pixels; 0 for an empty box."""
        return (self.bottom - self.top) * (self.right - self.left)


def cut_box(lam: float, centre: tuple[int, int], height: int, width: int) -> Box:
    """The pasted box: sides int(side * sqrt(1 - lam)), half of it, rounded down, to both sides, cut at the border.

    Args:
        lam: share of the image that should be kept, in [0,1].
        centre: (row, column) in pixels.
        height: rows of the image.
        width: columns of the image.
    """
    ratio = math.sqrt(1 - lam)
    half_height, half_width = int(height * ratio) // 2, int(width * ratio) // 2
    row, column = centre
    return Box(
        top=max(row - half_height, 0),
        bottom=min(row + half_height, height),
        left=max(column - half_width, 0),
        right=min(column + half_width, width),
    )


def kept_share(box: Box, height: int, width: int) -> float:
    """lam after the border has cut the box: 1 - area of the box / area of the image."""
    return 1 - box.area / (height * width)


def paste(images: Tensor, order: Tensor, box: Box) -> Tensor:
    """Each image with the box's pixels of image ``order[i]``; a new tensor.

    Args:
        images: [B,C,H,W].
        order: [B], a permutation of the batch.
        box: the same for the whole batch.
    """
    mixed = images.clone()
    rows, columns = slice(box.top, box.bottom), slice(box.left, box.right)
    mixed[:, :, rows, columns] = images[order][:, :, rows, columns]
    return mixed


def mixed_loss(
    loss: Callable[[NamedTuple, Tensor], Tensor], output: NamedTuple, targets: Tensor, order: Tensor, lam: float
) -> Tensor:
    """lam * loss of the image's own class + (1 - lam) * loss of the pasted image's class.

    Args:
        loss: (output, targets [B]) -> scalar.
        output: of the mixed images.
        targets: [B], classes before mixing.
        order: [B], the permutation of ``paste``.
        lam: ``kept_share``.
    """
    return lam * loss(output, targets) + (1 - lam) * loss(output, targets[order])


def draw_centre(height: int, width: int) -> tuple[int, int]:
    """(row, column), uniform over the pixels, from torch's global generator."""
    return int(torch.randint(height, ())), int(torch.randint(width, ()))
