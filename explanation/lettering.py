"""Words in pictures, drawn with Pillow in DejaVu Sans, which comes with matplotlib: measured, wrapped and shortened."""

import importlib.util
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

INK, SOFT = "#1d2127", "#636b76"
FONTS = {False: "DejaVuSans.ttf", True: "DejaVuSans-Bold.ttf"}
"""File by whether it is bold."""
LINE = 1.4
"""Height of a line, in sizes of its letters."""


@cache
def font(size: int, *, bold: bool = False) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, its letters of ``size`` pixels. matplotlib, slow to import, is imported only if its data are away
    from its code, as some systems install it."""
    package = importlib.util.find_spec("matplotlib")
    folder = Path(package.origin).parent / "mpl-data" if package and package.origin else Path()
    if not folder.is_dir():
        from matplotlib import get_data_path

        folder = Path(get_data_path())
    return ImageFont.truetype(folder / "fonts" / "ttf" / FONTS[bold], size)


def _fitting(text: str, width: float, letters: ImageFont.FreeTypeFont) -> int:
    """How many of a text's first letters ``width`` pixels hold."""
    return bisect_right(range(1, len(text) + 1), width, key=lambda count: letters.getlength(text[:count]))


def wrapped(text: str, width: float, letters: ImageFont.FreeTypeFont) -> list[str]:
    """Lines of at most ``width`` pixels; a longer word is broken where it must be."""
    lines, line = [], ""
    for word in text.split():
        longer = f"{line} {word}" if line else word
        if letters.getlength(longer) <= width:
            line = longer
            continue
        lines += [line] if line else []
        while letters.getlength(word) > width:
            count = max(1, _fitting(word, width, letters))
            lines.append(word[:count])
            word = word[count:]
        line = word
    return [*lines, line]


def balanced(text: str, width: float, letters: ImageFont.FreeTypeFont) -> list[str]:
    """As many lines as ``wrapped`` makes, as even as they can be."""
    lines, narrower = wrapped(text, width, letters), range(round(width / 2), round(width))
    place = bisect_left(narrower, -len(lines), key=lambda each: -len(wrapped(text, each, letters)))
    return lines if place == len(narrower) else wrapped(text, narrower[place], letters)


def shortened(text: str, width: float, letters: ImageFont.FreeTypeFont) -> str:
    """The text, or its beginning and "…" where it is longer than ``width`` pixels."""
    if letters.getlength(text) <= width:
        return text
    return text[: _fitting(text, width - letters.getlength("…"), letters)].rstrip() + "…"


def lettered(
    lines: Sequence[str], width: int, *, size: int, bold: bool = False, colour: str = INK, align: str = "center"
) -> Image.Image:
    """Lines on white, RGB of ``width`` pixels.

    Args:
        lines: without line breaks, each drawn letter for letter.
        width: of the picture.
        size: of the letters, pixels.
        bold: whether they are.
        colour: of the letters.
        align: "center" or "left".
    """
    letters, height = font(size, bold=bold), round(LINE * size)
    picture = Image.new("RGB", (width, height * len(lines)), "white")
    draw = ImageDraw.Draw(picture)
    x, anchor = (width // 2, "ms") if align == "center" else (0, "ls")
    for index, line in enumerate(lines):
        draw.text((x, index * height + round(1.05 * size)), line, colour, letters, anchor)
    return picture
