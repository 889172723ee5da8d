"""True object masks on the grid of the score maps: 1 object, 0 background, 255 ignored."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from calm.data_loaders.images import opened

IGNORED = 255


def read_object_mask(masks: Sequence[Path], ignore_mask: Path | None, size: int) -> np.ndarray:
    """Union of the masks of an image's objects: uint8 [size,size], 1 object, 0 background, 255 ignored.

    As in the WSOL benchmark each mask is resized by nearest neighbour and then cut above one half; what the ignore
    mask covers beyond the objects is ignored.

    Args:
        masks: at least one file, any PNG mode; above 0.5 of 255 means object, and what is transparent is none.
        ignore_mask: the file of the pixels that do not count, if there is one.
        size: side of the score maps in pixels.

    Raises:
        UserError: a file is missing or damaged.
    """
    objects = np.logical_or.reduce([_read_mask(path, size) for path in masks])
    ignored = _read_mask(ignore_mask, size) & ~objects if ignore_mask else np.zeros_like(objects)
    return np.where(ignored, np.uint8(IGNORED), objects.astype(np.uint8))


def _read_mask(path: Path, size: int) -> np.ndarray:
    """bool [size,size]."""
    with opened(path, listed="object mask (see `mask_root`)") as mask:
        if "A" in mask.getbands() or "transparency" in mask.info:
            mask = Image.alpha_composite(Image.new("RGBA", mask.size, "black"), mask.convert("RGBA"))
        pixels = np.asarray(mask.convert("L"))
    return cv2.resize(pixels, (size, size), interpolation=cv2.INTER_NEAREST) > 0.5
