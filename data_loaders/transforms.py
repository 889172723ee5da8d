"""RGB pixels -> network input [3,S,S]. The random crop and flip depend on (seed, epoch, index) alone."""

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from calm.errors import UserError

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def evaluation_view(image: Image.Image, *, crop_size: int) -> Image.Image:
    """The whole image resized to crop_size x crop_size (bilinear with PIL's antialiasing, aspect not kept)."""
    return image.resize((crop_size, crop_size), Image.Resampling.BILINEAR)


def training_view(pixels: Tensor, *, crop_size: int, seed: int, epoch: int, index: int) -> Tensor:
    """A random square of crop_size cut out of ``pixels`` [3,R,R], flipped left to right with chance 1/2."""
    left, top, flip = crop_and_flip(pixels.shape[1] - crop_size, seed=seed, epoch=epoch, index=index)
    view = pixels[:, top : top + crop_size, left : left + crop_size]
    return view.flip(2) if flip else view


def crop_and_flip(margin: int, *, seed: int, epoch: int, index: int) -> tuple[int, int, bool]:
    """Left and top of the crop, each uniform over 0..margin, and whether to flip.

    A pure function of its arguments, the same in every process and NumPy version: hashed words, no generator state.
    """
    words = np.random.SeedSequence((seed, epoch, index)).generate_state(3, np.uint64)
    left, top, flip = (int(word) for word in words)
    return left % (margin + 1), top % (margin + 1), bool(flip & 1)


def to_tensor(image: Image.Image, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """RGB image -> float32 [3,H,W], (x / 255 - mean) / std per channel."""
    return normalised(torch.from_numpy(np.array(image)).permute(2, 0, 1), mean, std)


def normalised(pixels: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """Bytes [...,3,H,W] -> float32 of the same shape on the same device, (x / 255 - mean) / std per channel."""
    means, stds = (torch.tensor(values, device=pixels.device)[:, None, None] for values in (mean, std))
    planes = torch.empty(pixels.shape, dtype=torch.float32, device=pixels.device).copy_(pixels)
    return planes.div_(255).sub_(means).div_(stds)


def check_sizes(resize_size: int, crop_size: int) -> None:
    """Refuse a crop that is larger than the image it is cut from."""
    if crop_size > resize_size:
        raise UserError(f"`crop_size`={crop_size} is larger than `resize_size`={resize_size}: raise the latter")
