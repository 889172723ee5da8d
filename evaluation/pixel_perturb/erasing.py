"""Remove-and-classify: erase the pixels an attribution map calls important and classify again (paper, Section 5.3).

Pixels are ranked once per image, by the map and once more at random; every share k % is then a comparison of the rank
with a number. Random orders and noise come from a counter-based hash of (seed, image, pixel), so they are the same for
any batch size, number of processes and device.
"""

import hashlib
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from calm.attribution.score_map import resize
from calm.errors import UserError

PERCENTAGES = (10, 30, 50, 70, 90)
"""Shares of the pixels erased, in percent (paper, Figure 5)."""
BLUR_KSIZE, BLUR_SIGMA = 31, 15.0
NOISE_STD = 0.2
_LOW_32 = 0xFFFFFFFF


class Reclassified(NamedTuple):
    """Predicted classes of the erased images, [n,B] each, for n shares of erased pixels."""

    ranked: Tensor
    """After erasing the pixels with the highest attribution."""
    random: Tensor
    """After erasing as many pixels at random."""


def num_erased(percentage: float, height: int, width: int) -> int:
    """k % of the pixels, rounded down."""
    return int(percentage * height * width / 100)  # 70 / 100 * 90 * 90 would be below 5670


def image_keys(image_ids: Sequence[str], *, seed: int = 0, device: torch.device | str = "cpu") -> Tensor:
    """[B,4] int64 in [0, 2^32), from the seed and each image's name alone: what its random numbers start from."""
    digests = [hashlib.blake2b(f"{seed}/{image_id}".encode(), digest_size=16).digest() for image_id in image_ids]
    words = [[int.from_bytes(digest[i : i + 4], "little") for i in range(0, 16, 4)] for digest in digests]
    return torch.tensor(words, dtype=torch.int64).reshape(-1, 4).to(device)


def _mix(bits: Tensor) -> Tensor:
    """A bijection of the 32-bit integers that flips every output bit with probability 1/2 (MurmurHash3's finaliser)."""
    bits = ((bits ^ (bits >> 16)) * 0x85EBCA6B) & _LOW_32
    bits = ((bits ^ (bits >> 13)) * 0xC2B2AE35) & _LOW_32
    return bits ^ (bits >> 16)


def random_bits(keys: Tensor, count: int) -> Tensor:
    """[B,2] keys -> [B,count] int64 in [0, 2^32), all different within a row."""
    counter = torch.arange(count, device=keys.device)
    return _mix((_mix(counter ^ keys[:, :1]) + keys[:, 1:]) & _LOW_32)


def _ranks(order: Tensor, size: tuple[int, int]) -> Tensor:
    """[B,H*W], the pixels in their order -> [B,H,W] int32, the place of each pixel in it."""
    places = torch.arange(order.shape[1], dtype=torch.int32, device=order.device).expand_as(order)
    return torch.empty_like(order, dtype=torch.int32).scatter_(1, order, places).view(-1, *size)


def rank_by_score(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Raw attribution maps [B,h,w] -> [B,H,W] int32, 0 for the pixel that is erased first.

    Descending order of the map resized to (H, W), before any normalisation; ties go by pixel index. A map with a NaN
    says nothing and is ranked like a constant one. Interpolated in float64, equal cells give equal pixels in float32.
    """
    scores = resize(maps.double(), size).float().flatten(1)
    scores = scores.masked_fill(scores.isnan().any(dim=1, keepdim=True), 0)
    return _ranks(scores.sort(dim=1, descending=True, stable=True).indices, size)


def rank_at_random(keys: Tensor, size: tuple[int, int]) -> Tensor:
    """[B,4] keys -> [B,H,W] int32 ranks, an order of its own for each image (see ``image_keys``)."""
    bits = random_bits(keys[:, :2], size[0] * size[1])
    return _ranks((bits - 2**31).int().argsort(dim=1), size)  # 32 bits sort faster than 64


def _blur_matrix(size: int, like: Tensor) -> Tensor:
    """[size,size]: row i holds the weights of the pixels in the blurred pixel i, the borders reflected."""
    offsets = torch.arange(BLUR_KSIZE, device=like.device) - BLUR_KSIZE // 2
    weights = (-(offsets.double() ** 2) / (2 * BLUR_SIGMA**2)).softmax(dim=0)
    sources = torch.arange(size, device=like.device)[:, None] + offsets
    period = max(2 * (size - 1), 1)
    sources = (sources.remainder(period) - (size - 1)).abs().neg() + (size - 1)  # ... 2 1 0 1 2 ... n-2 n-1 n-2 ...
    matrix = torch.zeros(size, size, dtype=torch.float64, device=like.device)
    return matrix.scatter_add_(1, sources, weights.expand(size, -1)).float()


def blur(images: Tensor) -> Tensor:
    """Gaussian blur, kernel 31 and sigma 15, borders reflected without repeating the edge (paper, Section 5.3)."""
    rows, columns = (_blur_matrix(size, images) for size in images.shape[2:])
    return (rows @ images.float() @ columns.T).to(images.dtype)


def zeros(images: Tensor, keys: Tensor) -> Tensor:
    """0 of the normalised image, the mean colour of ImageNet (as released)."""
    return torch.zeros_like(images[:, :, :1, :1])


def means(images: Tensor, keys: Tensor) -> Tensor:
    """The mean of each image and channel."""
    return images.mean(dim=(2, 3), keepdim=True)


def noisy_means(images: Tensor, keys: Tensor) -> Tensor:
    """The mean of each image and channel + 0.2 N(0,1), independent per value."""
    bits = random_bits(keys[:, 2:], images[0].numel()).view(images.shape)
    uniform = (bits.float() + 0.5) / 2**32
    return means(images, keys) + (NOISE_STD * torch.special.ndtri(uniform.clamp(1e-7, 1 - 1e-7))).to(images.dtype)


ERASERS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "blur": lambda images, keys: blur(images),
    "zero": zeros,
    "mean": means,
    "noise": noisy_means,
}
"""(normalised images [B,C,H,W], keys [B,4]) -> what erased pixels become, broadcastable to the images."""


def fill_for(erase: str, images: Tensor, keys: Tensor) -> Tensor:
    """What erased pixels become, by its name in ``ERASERS``.

    Raises:
        UserError: for an unknown name.
    """
    if erase not in ERASERS:
        raise UserError(f"unknown `erase` {erase!r}: choose from {', '.join(ERASERS)}")
    return ERASERS[erase](images, keys)


def erase_first(images: Tensor, ranks: Tensor, fill: Tensor, count: int) -> Tensor:
    """[B,C,H,W] images with ``fill`` at the ``count`` pixels that come first in ``ranks`` [B,H,W]."""
    return torch.where(ranks[:, None] < count, fill, images)


@torch.inference_mode()
def remove_and_classify(
    classify: Callable[[Tensor], Tensor],
    images: Tensor,
    maps: Tensor,
    keys: Tensor,
    *,
    erase: str = "blur",
    percentages: Sequence[float] = PERCENTAGES,
) -> Reclassified:
    """Classify ``images`` after erasing each share of their pixels, by attribution and at random.

    Args:
        classify: images [B,C,H,W] -> predicted classes [B]; called twice per share, nothing waits for its answer.
        images: normalised images.
        maps: [B,h,w] raw maps of the true class.
        keys: [B,4] of ``image_keys``.
        erase: a name in ``ERASERS``.
        percentages: shares of the pixels, in percent; 0 leaves the images as they are.
    """
    size = (images.shape[2], images.shape[3])
    fill = fill_for(erase, images, keys)
    counts = [num_erased(percentage, *size) for percentage in percentages]
    predictions = [
        torch.stack([classify(erase_first(images, ranks, fill, count)) for count in counts])
        for ranks in (rank_by_score(maps, size), rank_at_random(keys, size))
    ]
    return Reclassified(*predictions)
