"""A colour bar with round ticks and its unit, drawn with Pillow."""

import math
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from calm.explanation.lettering import INK, SOFT, font, lettered
from calm.explanation.map_picture import Scale
from calm.pictures.palettes import coloured

MOST = 4
"""Most steps between a bar's ticks."""
ROUND = (1, 2, 2.5, 5, 10)
PLAIN = (-4, 4)
"""Powers of ten of the largest tick from which, and below which, ticks are written without a power."""
SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
SIZE, HEIGHT, TICK = 13, 14, 4
"""Of the letters, the bar and its ticks, pixels."""


class Ticks(NamedTuple):
    """Round numbers of a scale."""

    values: list[float]
    labels: list[str]
    """Of each, the power left out."""
    power: int
    """Of ten, by which the labels are to be multiplied."""


def round_ticks(low: float, high: float) -> Ticks:
    """Multiples, at most ``MOST`` steps, of the smallest of 1, 2, 2.5 or 5 times a power of ten that is large enough.

    Args:
        low: of the scale, at most 0.
        high: of the scale, at least 0; the two differ.
    """
    least = (high - low) / MOST
    power = math.floor(math.log10(least))
    factor = next(factor for factor in ROUND if factor * 10.0**power >= least * (1 - 1e-9))
    step = factor * 10.0**power
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    values = [index * step for index in range(first, last + 1)]
    largest = max(map(abs, values))
    shown = math.floor(math.log10(largest) + 1e-9) if largest else 0
    left_out = 0 if PLAIN[0] <= shown < PLAIN[1] else shown
    decimals = max(0, left_out - power + (factor == 2.5) - (factor == 10))
    labels = [f"{value / 10.0**left_out:.{decimals}f}".replace("-", "−") for value in values]
    return Ticks(values, labels, left_out)


def colour_bar(scale: Scale, unit: str, width: int) -> Image.Image:
    """The bar, its ticks and, below, its unit, on white: RGB of ``width`` pixels."""
    margin = round(0.08 * width)
    length = width - 2 * margin
    below = lettered([unit], width, size=SIZE, colour=SOFT)
    top = HEIGHT + TICK + round(1.3 * SIZE)
    picture = Image.new("RGB", (width, top + below.height), "white")
    picture.paste(below, (0, top))
    colours = coloured((np.arange(length) + 0.5) / length, scale.palette)
    picture.paste(Image.fromarray(np.tile(colours, (HEIGHT, 1, 1))), (margin, 0))
    draw, letters, ticks = ImageDraw.Draw(picture), font(SIZE), round_ticks(scale.low, scale.high)
    draw.rectangle((margin, 0, margin + length - 1, HEIGHT - 1), outline=INK)
    for value, label in zip(ticks.values, ticks.labels, strict=True):
        x = margin + round((value - scale.low) / (scale.high - scale.low) * (length - 1))
        draw.line((x, HEIGHT, x, HEIGHT + TICK - 1), SOFT)
        draw.text((x, HEIGHT + TICK + round(1.05 * SIZE)), label, SOFT, letters, "ms")
    if ticks.power:
        power = f"× 10{str(ticks.power).translate(SUPERSCRIPT)}"
        draw.text((width - margin, top + round(1.05 * SIZE)), power, SOFT, letters, "rs")
    return picture
