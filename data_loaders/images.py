"""Image files: pixels as RGB, and the size from the header."""

import struct
from pathlib import Path

from PIL import Image

from calm.errors import UserError

UNREADABLE = (OSError, SyntaxError, ValueError, struct.error, Image.DecompressionBombError)
"""What PIL raises for a truncated or foreign file, by format."""


def read_rgb(path: Path, *, listed: str | None = None) -> Image.Image:
    """Decode ``path`` to RGB: grey is repeated, CMYK and palettes are converted, alpha is dropped.

    Pixels stay as they are stored; an EXIF orientation is not applied, since boxes and masks refer to stored pixels.

    Args:
        path: the file.
        listed: where the file is listed, as "image_ids.txt, line 3"; it goes into the error.

    Raises:
        UserError: the file is missing, truncated, no image, or has more than eight bits a channel.
    """
    try:
        with Image.open(path) as image:
            if image.mode.startswith(("I", "F")):  # PIL would clip these to white
                raise UserError(f"{_listed(listed)}{path} has more than 8 bits a channel ({image.mode}): convert it")
            return image.convert("RGB")
    except UNREADABLE as error:
        raise unreadable(path, error, listed=listed) from error


def read_size(path: Path, *, listed: str | None = None) -> tuple[int, int]:
    """Width and height in pixels, from the header alone; ``listed`` and errors as in ``read_rgb``."""
    try:
        with Image.open(path) as image:
            return image.size
    except UNREADABLE as error:
        raise unreadable(path, error, listed=listed) from error


def unreadable(path: Path, error: Exception, *, listed: str | None = None) -> UserError:
    """One sentence for a file that is missing or damaged."""
    if isinstance(error, FileNotFoundError):
        return UserError(f"{_listed(listed)}{path} does not exist: complete the data set or check the folder")
    return UserError(f"{_listed(listed)}{path} cannot be read as an image ({error}): is it one, and whole?")


def _listed(listed: str | None) -> str:
    return f"{listed}: " if listed else ""
