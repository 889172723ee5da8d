"""Images that a user names or holds: finding files, and keeping what is needed of each."""

import glob
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from calm.data_loaders.images import as_text, read_rgb
from calm.data_loaders.scan import IMAGE_SUFFIXES, images_below
from calm.data_loaders.transforms import evaluation_view
from calm.errors import UserError

DISPLAY_SIDE = 1024
"""Longest side of the picture kept in memory for figure and page, pixels."""


def find_images(words: Sequence[str]) -> list[Path]:
    """Files, folders (searched through, by suffix) and patterns -> image files, each once, in the order given.

    Raises:
        UserError: a word that names nothing, or a folder without images.
    """
    found: dict[Path, None] = {}
    for word in words:
        if not word.strip():
            raise UserError("an empty name: name an image, a folder of images or a pattern")
        path = Path(word)
        if path.is_file():
            paths = [path]
        elif path.is_dir():
            paths = images_below(path)
            if not paths:
                raise UserError(f"{as_text(word)}: this folder holds no image ({', '.join(sorted(IMAGE_SUFFIXES))})")
        elif glob.has_magic(word):
            paths = sorted(p for p in map(Path, glob.glob(word, recursive=True)) if p.is_file())
            if not paths:
                raise UserError(f"{as_text(word)}: no file matches this pattern")
        else:
            raise UserError(f"{as_text(word)}: no such file or folder; name an image, a folder of images or a pattern")
        found |= dict.fromkeys(paths)
    return list(found)


class Photograph(NamedTuple):
    """What is needed of an image, however large it is."""

    name: str
    view: Image.Image
    """RGB, what the network sees: the whole image at its input size, as in testing."""
    picture: Image.Image
    """RGB, for people: its longest side at most ``DISPLAY_SIDE``."""
    size: tuple[int, int]
    """Width and height of the whole image, pixels."""


def open_image(path: Path, input_size: int) -> Photograph:
    """Read an image file once, upright as its EXIF orientation says; any that Pillow reads.

    Args:
        path: the file.
        input_size: side of the network's input, pixels.
    """
    return photograph(read_rgb(path, upright=True), as_text(path.name), input_size)


def photograph(image: Image.Image, name: str, input_size: int) -> Photograph:
    """An RGB image as an explanation needs it; ``image`` itself is shrunk."""
    size = image.size
    view = evaluation_view(image, crop_size=input_size)
    image.thumbnail((DISPLAY_SIDE, DISPLAY_SIDE), Image.Resampling.LANCZOS)
    return Photograph(name, view, image, size)
