"""A map in colour over its picture without colour: what every figure shows of a map, as pixels."""

from typing import NamedTuple

import numpy as np
import torch
from PIL import Image

from calm.attribution.score_map import resize
from calm.explanation.cells import Cells
from calm.pictures.palettes import DIVERGING, SEQUENTIAL, coloured

DARKEST = 0.12
"""Grey of black under a map."""
PALE = 0.55
"""Grey of black under a signed map, before ``DARKEST``, so that what is seen at zero is near white."""
OPACITY, SIGNED_OPACITY = 0.65, 0.8


class Scale(NamedTuple):
    """The values of a map at both ends of its palette."""

    low: float
    high: float
    signed: bool = False

    @property
    def palette(self) -> np.ndarray:
        """[N,3] uint8."""
        return DIVERGING if self.signed else SEQUENTIAL


def scale_of(values: np.ndarray, *, signed: bool, high: float | None = None, low: float | None = None) -> Scale:
    """To the largest value [h,w], or to ``high``, from 0; or from the least, or ``low``, where scores are below 0.

    A signed map's scale goes to the same extent on both sides of 0. A map without extent has one of length 1.
    """
    high = float(np.abs(values).max() if signed else values.max()) if high is None else high
    low = -high if signed else min(0.0, float(values.min()) if low is None else low)
    return Scale(low, high if high > low else low + 1, signed)


def enlarge(values: np.ndarray, size: int | tuple[int, int], cells: Cells | None = None) -> np.ndarray:
    """[h,w] -> [H,W], bilinear; the cells as tiles, or where ``cells`` says. A map of pixels takes no cells.

    Args:
        values: the map.
        size: (H, W), or one number for both.
        cells: where they lie.
    """
    maps = torch.from_numpy(np.ascontiguousarray(values))[None].float()
    return (resize(maps, size) if cells is None else cells.laid(maps, size))[0].numpy()


def grey(picture: Image.Image, size: tuple[int, int]) -> np.ndarray:
    """The picture without colour, pale enough to lie under a map: [H,W] in [0,1] of ``size`` (width, height)."""
    levels = picture.convert("L").resize(size, Image.Resampling.LANCZOS)
    return DARKEST + (1 - DARKEST) * np.asarray(levels, dtype=np.float32) / 255


def map_picture(
    picture: Image.Image, values: np.ndarray, scale: Scale, *, size: tuple[int, int], cells: Cells | None = None
) -> np.ndarray:
    """A map over its picture, [H,W,3] uint8.

    A signed map is red above zero, blue below and white at zero, over a paler picture.

    Args:
        picture: RGB, of any size.
        values: the map, [h,w].
        scale: values outside it have the colour of its ends.
        size: width and height of the result, pixels.
        cells: see ``enlarge``.
    """
    under, opacity = grey(picture, size), OPACITY
    if scale.signed:
        under, opacity = PALE + (1 - PALE) * under, SIGNED_OPACITY
    laid = enlarge(values, size[::-1], cells).astype(np.float64)
    colours = coloured((laid - scale.low) / (scale.high - scale.low), scale.palette)
    weight = np.float32(opacity)
    return (colours * weight + (255 * (1 - weight) * under)[..., None] + 0.5).astype(np.uint8)
