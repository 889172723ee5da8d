"""The same images with the maps of a network that is still learning: a strip for each epoch, on one scale."""

import numpy as np
import torch
from torch import Tensor

from calm.attribution import build_attribution
from calm.attribution.score_map import resize
from calm.data_loaders.datasets import ImageDataset
from calm.networks import METHODS
from calm.networks.network import Network
from calm.pictures.overlay import overlay, to_rgb

WRONG = (214, 39, 40)
"""RGB of the frame of an image that the network takes for another class."""
FRAME = 3
"""Its width, pixels."""


def spread(total: int, count: int) -> list[int]:
    """At most ``count`` indices below ``total``, evenly from the first to the last."""
    return np.linspace(0, total - 1, min(count, total)).round().astype(int).tolist()


def spread_images(dataset: ImageDataset, count: int) -> tuple[Tensor, Tensor]:
    """At most ``count`` images spread over a data set, [n,3,S,S], and their classes, [n]."""
    items = [dataset[index] for index in spread(len(dataset), count)]
    return torch.stack([image for image, *_ in items]), torch.tensor([target for _, target, _ in items])


def map_strip(network: Network, images: Tensor, targets: Tensor) -> np.ndarray:
    """Images above their maps for the true class, uint8 [2S,n*S,3]; one scale for all, red frames on wrong predictions.

    Args:
        network: any; it is left in evaluation mode.
        images: [n,3,S,S] normalised, on the network's device.
        targets: [n].
    """
    with torch.inference_mode():
        wrong = (network.eval()(images).log_p_y.argmax(dim=1) != targets).cpu()
        maps = build_attribution(METHODS[network.method].default_map)(network, images, targets)
        scores = resize(maps, images.shape[-1]).clamp_min(0).cpu().numpy()
    scores /= scores.max() or 1
    above = [to_rgb(image, network.mean, network.std) for image in images]
    below = [overlay(rgb, score) for rgb, score in zip(above, scores, strict=True)]
    for position in wrong.nonzero().flatten().tolist():
        framed = above[position]
        framed[:FRAME], framed[-FRAME:], framed[:, :FRAME], framed[:, -FRAME:] = (WRONG,) * 4
    return np.concatenate([np.concatenate(row, axis=1) for row in (above, below)])
