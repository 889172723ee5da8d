"""From an image file to a square of bytes [3,side,side]: the published code's way with PIL, and one in half the time.

Both read JPEG through libjpeg-turbo, so the pixels before the resize are the same, except where ``fast`` lets it decode
a large image at a half, a quarter or an eighth of its size. Both resize bilinearly with antialiasing; PyTorch's resize
of bytes rounds otherwise than PIL's, by at most one grey level.
"""

from collections.abc import Callable
from pathlib import Path
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from calm.data_loaders.images import opened, read_rgb
from calm.errors import UserError

_PLAIN_MODES = ("RGB", "L")
"""Of JPEG files whose pixels are RGB, or grey, for every decoder alike; CMYK and others are PIL's."""


def pil_square(path: Path, side: int, *, listed: str | None = None) -> Tensor:
    """PIL alone, as in the published code.

    Args:
        path, listed: as of ``images.opened``.
        side: of the square that the whole image is resized to, pixels.
    """
    return _bytes_of(read_rgb(path, listed=listed).resize((side, side), Image.Resampling.BILINEAR))


def fast_square(path: Path, side: int, *, listed: str | None = None) -> Tensor:
    """torchvision's JPEG decoder, or PIL's at a reduced scale, and PyTorch's resize; arguments as of ``pil_square``.

    Any other file (PNG, also named .jpg; CMYK; palettes; 16 bits) and any that the decoder refuses goes to PIL, whose
    resize and whose errors it then has.
    """
    pixels = _jpeg(path, side, listed)
    if pixels is None:
        return pil_square(path, side, listed=listed)
    rows = pixels.permute(1, 2, 0)[None]  # as they lie in memory: unpacking the colours first would take longer
    return F.interpolate(rows.permute(0, 3, 1, 2), size=(side, side), mode="bilinear", antialias=True)[0]


DECODERS: dict[str, Callable[..., Tensor]] = {"fast": fast_square, "pil": pil_square}
"""(path, side, *, listed) -> uint8 [3,side,side]."""


def decoder_named(name: str) -> Callable[..., Tensor]:
    """The decoder of this name.

    Raises:
        UserError: there is none.
    """
    if name not in DECODERS:
        raise UserError(f"unknown `decoder` {name!r}: choose from {', '.join(DECODERS)}")
    return DECODERS[name]


def _jpeg(path: Path, side: int, listed: str | None) -> Tensor | None:
    """uint8 [3,H,W] of a plain JPEG file; None where PIL should read the file."""
    with opened(path, listed=listed) as image:
        if image.format != "JPEG" or image.mode not in _PLAIN_MODES:
            return None
        if min(image.size) >= 2 * side:
            image.draft("RGB", (side, side))
            return _bytes_of(image.convert("RGB"))
    from torchvision.io import ImageReadMode, decode_jpeg, read_file  # slow to import, and trunks often did before

    try:
        decoded = decode_jpeg(read_file(str(path)), mode=ImageReadMode.RGB)
    except RuntimeError:  # damaged, or torchvision was built without libjpeg
        return None
    return cast(Tensor, decoded)  # of one file


def _bytes_of(image: Image.Image) -> Tensor:
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)
