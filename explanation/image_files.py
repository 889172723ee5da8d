"""Image files that a user names: finding them, and reading what is needed of each."""

import glob
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from calm.data_loaders.images import read_rgb
from calm.data_loaders.transforms import evaluation_view
from calm.errors import UserError

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".gif", ".tif", ".tiff", ".ppm"})
DISPLAY_SIDE = 1024
"""Longest side of the picture kept in memory for figure and page, pixels."""


def find_images(words: Sequence[str]) -> list[Path]:
    """Files, folders (searched through, by suffix) and patterns -> image files, each once, in the order given.

    Raises:
        UserError: a word that names nothing, or a folder without images.
    """
    found: dict[Path, None] = {}
    for word in words:
        path = Path(word)
        if path.is_file():
            paths = [path]
        elif path.is_dir():
            paths = sorted(p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
            if not paths:
                raise UserError(f"{word}: this folder holds no image ({', '.join(sorted(SUFFIXES))})")
        elif glob.has_magic(word):
            paths = sorted(p for p in map(Path, glob.glob(word, recursive=True)) if p.is_file())
            if not paths:
                raise UserError(f"{word}: no file matches this pattern")
        else:
            raise UserError(f"{word}: no such file or folder; name an image, a folder of images or a pattern")
        found |= dict.fromkeys(paths)
    return list(found)


def open_image(path: Path, input_size: int) -> tuple[Image.Image, Image.Image, tuple[int, int]]:
    """Read an image once, keeping only what is needed of it, however large it is.

    Args:
        path: any file that Pillow reads.
        input_size: side of the network's input, pixels.

    Returns:
        What the network sees, as in testing; the picture for display, RGB, its longest side at most
        ``DISPLAY_SIDE``; and the file's width and height.
    """
    picture = read_rgb(path)
    size = picture.size
    view = evaluation_view(picture, crop_size=input_size)
    picture.thumbnail((DISPLAY_SIDE, DISPLAY_SIDE), Image.Resampling.LANCZOS)
    return view, picture, size
