"""Image files: pixels as RGB, and the size from the header."""

import warnings
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image, ImageOps

from calm.errors import UserError


@contextmanager
def opened(path: Path, *, listed: str | None = None) -> Generator[Image.Image, None, None]:
    """The image of a file, its header read; what PIL cannot read of it in the block is one sentence.

    PIL refuses more than some 179 million pixels; its warning for half as many is left out.

    Args:
        path: the file.
        listed: where the file is listed, as "image_ids.txt, line 3"; it goes into the error.

    Raises:
        UserError: the file is missing, truncated, no image, or too large.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(path)
        with image:
            yield image
    except UserError:
        raise
    except Exception as error:  # by format OSError, SyntaxError, RuntimeError, KeyError and others
        raise unreadable(path, error, listed=listed) from error


def read_rgb(path: Path, *, listed: str | None = None, upright: bool = False) -> Image.Image:
    """Decode ``path`` to RGB: grey is repeated, CMYK and palettes are converted, alpha is dropped.

    Args:
        path, listed: see ``opened``.
        upright: turn the image as its EXIF orientation says and as viewers show it. A data set's pixels stay as they
            are stored, since its boxes and masks refer to these.

    Raises:
        UserError: as ``opened``, or the image has more than eight bits a channel.
    """
    with opened(path, listed=listed) as image:
        if image.mode.startswith(("I", "F")):  # PIL would clip these to white
            raise UserError(
                f"{_listed(listed)}{as_text(path)} has more than 8 bits a channel ({image.mode}): convert it"
            )
        return (turned_upright(image) if upright else image).convert("RGB")


def turned_upright(image: Image.Image) -> Image.Image:
    """An image as its EXIF orientation says and as viewers show it."""
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # a damaged EXIF block says nothing; damaged pixels are found out when they are converted
        return image


def read_size(path: Path, *, listed: str | None = None) -> tuple[int, int]:
    """Width and height in pixels, from the header alone; ``listed`` and errors as in ``opened``."""
    with opened(path, listed=listed) as image:
        return image.size


def unreadable(path: Path, error: Exception, *, listed: str | None = None) -> UserError:
    """One sentence for a file that is missing, damaged or too large."""
    where = f"{_listed(listed)}{as_text(path)}"
    if isinstance(error, FileNotFoundError):
        return UserError(f"{where} does not exist: complete the data set or check the folder")
    if isinstance(error, Image.DecompressionBombError):
        most = 2 * (Image.MAX_IMAGE_PIXELS or 0) // 10**6
        return UserError(f"{where} has more than {most} million pixels: make it smaller")
    reason = as_text(error) or type(error).__name__
    return UserError(f"{where} cannot be read as an image ({reason}): is it one, and whole?")


def as_text(name: object) -> str:
    """A name that can be printed and written: bytes of a file's name that are not UTF-8 become the replacement sign."""
    return str(name).encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _listed(listed: str | None) -> str:
    return f"{listed}: " if listed else ""
