"""Hide-and-Seek (Singh and Lee, ICCV 2017): training images with random squares hidden."""

import torch
from torch import Tensor, nn

from calm.errors import UserError
from calm.networks.heads import CalmHead, CamHead
from calm.networks.methods.base import Loss, Method, Objective
from calm.networks.methods.calm_em import em_loss
from calm.networks.methods.calm_ml import marginal_loss
from calm.networks.methods.cam import cam_loss


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

    """
    hidden = (draws <= has_drop_rate)[:, None]
    hidden = hidden.repeat_interleave(has_grid_size, dim=2).repeat_interleave(has_grid_size, dim=3)
    return hidden[:, :, :height, :width]


def hide(images: Tensor, draws: Tensor, *, has_grid_size: int, has_drop_rate: float) -> Tensor:
    """Normalised images [B,C,H,W] with hidden pixels 0, the mean colour of the normalisation; see ``hide_mask``."""
    mask = hide_mask(draws, *images.shape[2:], has_grid_size=has_grid_size, has_drop_rate=has_drop_rate)
    return torch.where(mask, torch.zeros_like(images), images)


class HideAndSeek(Objective):
    """A method's loss on images with random squares hidden; each image has its own."""

    def __init__(self, loss: Loss, network: nn.Module, *, has_grid_size: int = 4, has_drop_rate: float = 0.5) -> None:
        """Choose the squares; the defaults are the WSOL benchmark's.

        Args:
            loss: see ``Objective``.
            network: see ``Objective``.
            has_grid_size: side of a square in pixels; 0 hides nothing.
            has_drop_rate: probability that a square is hidden.

        Raises:
            UserError: for a negative side, or a rate that is no probability.
        """
        super().__init__(loss, network)
        if has_grid_size < 0:
            raise UserError(
                f"`has_grid_size`={has_grid_size} is the side of a square in pixels and should not be negative"
            )
        if not 0 <= has_drop_rate <= 1:
            raise UserError(f"`has_drop_rate`={has_drop_rate} is a probability and should lie in [0, 1]")
        self.has_grid_size, self.has_drop_rate = has_grid_size, has_drop_rate

    def check(self, images: int, size: int) -> None:
        """Refuse squares that are larger than the images."""
        if self.has_grid_size > size:
            raise UserError(
                f"`has_grid_size`={self.has_grid_size}: a square of so many pixels is larger than the images of "
                f"`crop_size`={size}"
            )

    def __call__(self, network: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
        """The loss on the images with squares hidden; draws come from torch's global generator."""
        if self.has_grid_size:
            rows, columns = (squares(size, self.has_grid_size) for size in images.shape[2:])
            draws = torch.rand(len(images), rows, columns).to(images.device)
            images = hide(images, draws, has_grid_size=self.has_grid_size, has_drop_rate=self.has_drop_rate)
        return super().__call__(network, images, targets)


HAS = Method(CamHead, cam_loss, HideAndSeek)
HAS_CALM_ML = Method(CalmHead, marginal_loss, HideAndSeek, default_map="joint")
"""Hide-and-Seek is published for CAM; this and the next are ours."""
HAS_CALM_EM = Method(CalmHead, em_loss, HideAndSeek, default_map="joint")
