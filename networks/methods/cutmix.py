"""CutMix (Yun et al., ICCV 2019): a box of another image pasted into each image, the labels mixed by area."""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from calm.errors import UserError
from calm.networks.heads import CalmHead, CamHead
from calm.networks.methods.base import Loss, Method, Objective
from calm.networks.methods.calm_em import em_loss
from calm.networks.methods.calm_ml import marginal_loss
from calm.networks.methods.cam import cam_loss


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


def mixed_loss(loss: Loss, output: NamedTuple, targets: Tensor, order: Tensor, lam: float) -> Tensor:
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


def draw_kept_share(beta: float) -> float:
    """lam ~ Beta(beta, beta), from torch's global generator."""
    return float(torch.distributions.Beta(beta, beta).sample())


class CutMix(Objective):
    """A method's loss on mixed images; one box, one permutation and one lam for a batch."""

    def __init__(self, loss: Loss, network: nn.Module, *, cutmix_beta: float = 1.0, cutmix_prob: float = 1.0) -> None:
        """Choose how often and how much is mixed; the defaults are the WSOL benchmark's.

        Args:
            loss: see ``Objective``.
            network: see ``Objective``.
            cutmix_beta: of lam's distribution; 0 mixes nothing.
            cutmix_prob: probability that a batch is mixed.

        Raises:
            UserError: for a negative beta, or a probability that is none.
        """
        super().__init__(loss, network)
        if cutmix_beta < 0:
            raise UserError(f"`cutmix_beta`={cutmix_beta} should not be negative")
        if not 0 <= cutmix_prob <= 1:
            raise UserError(f"`cutmix_prob`={cutmix_prob} is a probability and should lie in [0, 1]")
        self.cutmix_beta, self.cutmix_prob = cutmix_beta, cutmix_prob
        self.largest_batch = 0

    def check(self, images: int, size: int) -> None:
        """Refuse batches of one image; the last of an epoch may be one."""
        if images < 2:
            raise UserError("CutMix pastes one image into another, and a batch of one has no other: raise `batch_size`")

    def __call__(self, network: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
        """The loss on the batch, mixed or not.

        Raises:
            UserError: where no batch so far had two images.
        """
        self.largest_batch = max(self.largest_batch, len(images))
        self.check(self.largest_batch, size=images.shape[-1])
        if not self.cutmix_beta or float(torch.rand(())) >= self.cutmix_prob:
            return super().__call__(network, images, targets)
        lam = draw_kept_share(self.cutmix_beta)
        order = torch.randperm(len(images)).to(images.device)
        height, width = images.shape[2:]
        box = cut_box(lam, draw_centre(height, width), height, width)
        output = network(paste(images, order, box))
        return mixed_loss(self.loss, output, targets, order, kept_share(box, height, width))


CUTMIX = Method(CamHead, cam_loss, CutMix)
CUTMIX_CALM_ML = Method(CalmHead, marginal_loss, CutMix, default_map="joint")
"""CutMix is published for plain classifiers; this and the next are ours."""
CUTMIX_CALM_EM = Method(CalmHead, em_loss, CutMix, default_map="joint")
