"""Hide-and-Seek (Singh and Lee, ICCV 2017): training images with random squares hidden."""

import torch
from torch import Tensor

from calm.errors import UserError


def squares(size: int, side: int) -> int:
    """Number of squares of ``side`` pixels along ``size`` pixels, the last one cut off at the border."""
    return -(-size // side)


def hide_mask(draws: Tensor, height: int, width: int, *, has_grid_size: int, has_drop_rate: float) -> Tensor:
    """[B,1,height,width], true where a pixel is hidden: a square is, where its draw is at most the rate.

    Args:
        draws: uniform in [0,1), one per image and square, [B,ceil(height/side),ceil(width/side)].
        height: rows of the images.
        width: columns of the images.
        has_grid_size: side of a square in pixels (not their count); squares start at the top left.
        has_drop_rate: probability that a square is hidden.

    Raises:
        UserError: for a rate that is no probability, or a side below one pixel.
    """
    if not 0 <= has_drop_rate <= 1:
        raise UserError(f"`has_drop_rate`={has_drop_rate} is a probability and should lie in [0, 1]")
    if has_grid_size < 1:
        raise UserError(f"`has_grid_size`={has_grid_size} is the side of a square in pixels and should be at least 1")
    hidden = (draws <= has_drop_rate)[:, None]
    hidden = hidden.repeat_interleave(has_grid_size, dim=2).repeat_interleave(has_grid_size, dim=3)
    return hidden[:, :, :height, :width]


def hide(images: Tensor, draws: Tensor, *, has_grid_size: int, has_drop_rate: float) -> Tensor:
    """Normalised images [B,C,H,W] with hidden pixels 0, the mean colour of the normalisation; see ``hide_mask``."""
    mask = hide_mask(draws, *images.shape[2:], has_grid_size=has_grid_size, has_drop_rate=has_drop_rate)
    return torch.where(mask, torch.zeros_like(images), images)
