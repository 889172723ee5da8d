"""What surrounds a synthetic bird: background, distractors in the birds' own colours, perch, occluders.

Sizes are fractions of the image's side, so that a picture keeps its composition at every resolution.
"""

from typing import NamedTuple

import cv2
import numpy as np

from data_loaders.synthbirds_classes import COLORS

PALETTE = np.array(list(COLORS.values()), dtype=np.float32)
SKIES = np.array([(168, 198, 226), (206, 220, 228), (226, 206, 186), (140, 176, 214), (190, 192, 196)], np.float32)
GREENS = np.array([(74, 112, 52), (46, 82, 40), (118, 146, 70), (156, 168, 96), (62, 96, 74)], np.float32)
EARTHS = np.array([(150, 126, 96), (112, 92, 70), (178, 160, 130), (96, 88, 80), (134, 112, 78)], np.float32)
WATERS = np.array([(88, 122, 146), (62, 96, 118), (136, 160, 168), (110, 128, 116)], np.float32)


class Piece(NamedTuple):
    """One flat shape in focus: outline [n] complex in image fractions (y down), colour RGB, detail tone."""

    outline: np.ndarray
    color: np.ndarray
    tone: int
    vein: bool


def _pick(colors: np.ndarray, rng: np.random.Generator, count: int = 1) -> np.ndarray:
    """``count`` colours of a table with a little jitter, float32 [count,3]."""
    return colors[rng.integers(0, len(colors), count)] + rng.normal(0, 9, (count, 3)).astype(np.float32)


def _noise(rows: int, columns: int, size: int, rng: np.random.Generator) -> np.ndarray:
    """Smooth noise [size,size] in about -1..1 from a coarse random grid."""
    grid = rng.random((rows, columns), dtype=np.float32) * 2 - 1
    return cv2.resize(grid, (size, size), interpolation=cv2.INTER_CUBIC)


def _sky(size: int, rng: np.random.Generator) -> np.ndarray:
    top, bottom = _pick(SKIES, rng, 2)
    ramp = np.linspace(0, 1, size, dtype=np.float32)[:, None, None]
    clouds = np.clip(_noise(4, 3, size, rng) + 0.5 * _noise(9, 7, size, rng), 0, 1)[..., None]
    return (top + (bottom - top) * ramp) * (1 - 0.5 * clouds) + 122 * clouds


def _foliage(size: int, rng: np.random.Generator) -> np.ndarray:
    coarse = _pick(GREENS, rng, 30).reshape(5, 6, 3)
    fine = _noise(14, 14, size, rng)[..., None] * 22
    return cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC) + fine


def _water(size: int, rng: np.random.Generator) -> np.ndarray:
    base = _pick(WATERS, rng, 5).reshape(5, 1, 3)
    ripples = (_noise(26, 4, size, rng) * 26 + _noise(60, 9, size, rng) * 12)[..., None]
    return cv2.resize(base, (size, size), interpolation=cv2.INTER_CUBIC) + ripples


def _earth(size: int, rng: np.random.Generator) -> np.ndarray:
    base = _pick(EARTHS, rng, 9).reshape(3, 3, 3)
    grain = (_noise(12, 12, size, rng) * 18 + _noise(48, 48, size, rng) * 16)[..., None]
    return cv2.resize(base, (size, size), interpolation=cv2.INTER_CUBIC) + grain


GROUNDS = (_sky, _foliage, _water, _earth)


def background(size: int, horizon: float | None, rng: np.random.Generator) -> np.ndarray:
    """Out-of-focus background, float32 [size,size,3] in 0..255; below ``horizon`` (fraction) lies the ground."""
    image = GROUNDS[rng.choice(4, p=(0.25, 0.4, 0.1, 0.25))](size, rng)
    for _ in range(rng.integers(4, 11)):  # lights and flowers out of focus, in the birds' colours
        color, center = _pick(PALETTE, rng)[0], rng.random(2) * size
        disc = np.zeros((size, size), np.uint8)
        cv2.circle(disc, (int(center[0] * 16), int(center[1] * 16)), int(rng.uniform(0.03, 0.11) * size * 16), 255, -1,
                   cv2.LINE_AA, 4)  # fmt: skip
        image = cv2.copyTo(image * 0.35 + color * 0.65, disc, image)
    if horizon is not None:
        ground = (_water if rng.random() < 0.3 else _earth)(size, rng)
        rows = np.arange(size, dtype=np.float32)[:, None] / size - horizon + 0.02 * _noise(1, 6, size, rng)
        image += (ground - image) * np.clip(rows * 18, 0, 1)[..., None]
    side = max(3, int(size * rng.uniform(0.02, 0.06)) | 1)
    return cv2.blur(image, (side, side))


def _leaf(center: complex, length: float, width: float, angle: float) -> np.ndarray:
    t = np.linspace(0, 1, 9)
    half = np.sin(np.pi * t**0.8) * width / 2
    outline = np.concatenate([t + 1j * half / length, (t - 1j * half / length)[::-1]])
    return center + length * np.exp(1j * angle) * (outline - 0.5)


def _ellipse(center: complex, a: float, b: float, angle: float) -> np.ndarray:
    t = np.linspace(0, 2 * np.pi, 18, endpoint=False)
    return center + np.exp(1j * angle) * (a * np.cos(t) + 1j * b * np.sin(t))


def distractors(rng: np.random.Generator) -> list[Piece]:
    """Leaves, flowers and berries in focus, in the colours of the birds."""
    pieces = []
    for _ in range(rng.integers(5, 11)):
        center = complex(*rng.random(2))
        color, second = _pick(PALETTE, rng, 2)
        angle, radius, kind = rng.uniform(0, 6.3), rng.uniform(0.03, 0.075), rng.random()
        if kind < 0.4:
            pieces.append(Piece(_leaf(center, 3.2 * radius, 1.3 * radius, angle), color, 128, True))
        elif kind < 0.7:
            for petal in range(5):
                turn = np.exp(1j * (angle + petal * 1.257))
                pieces.append(Piece(_ellipse(center + radius * 0.8 * turn, radius * 0.75, radius * 0.5,
                                             angle + petal * 1.257), color, 134 - 4 * petal, False))  # fmt: skip
            pieces.append(Piece(_ellipse(center, radius * 0.45, radius * 0.45, 0), second, 128, False))
        else:
            for berry in range(rng.integers(1, 4)):
                spot = center + radius * 1.3 * np.exp(1j * (angle + 2 * berry))
                pieces.append(Piece(_ellipse(spot, radius * 0.7, radius * 0.7, 0), color, 128, False))
                pieces.append(Piece(_ellipse(spot - radius * (0.2 + 0.25j), radius * 0.2, radius * 0.2, 0), color, 190,
                                    False))  # fmt: skip
    return pieces


def branch(start: complex, end: complex, thick: float, thin: float, color: np.ndarray, rng) -> Piece:
    """A tapering, slightly crooked branch from ``start`` to ``end``."""
    t = np.linspace(0, 1, 7)
    side = 1j * (end - start) / abs(end - start)
    line = start + t * (end - start) + side * rng.normal(0, 0.12 * thick, 7)
    half = side * (thick + (thin - thick) * t) / 2
    return Piece(np.concatenate([line + half, (line - half)[::-1]]), color, 124, True)


def perch(feet: complex, rng: np.random.Generator) -> Piece:
    """The branch under the feet, across the whole picture; ``feet`` in image fractions."""
    slope, thick = rng.uniform(-0.16, 0.16), rng.uniform(0.03, 0.06)
    color = _pick(EARTHS, rng)[0] * rng.uniform(0.6, 1.0)
    middle = feet + 0.4j * thick
    left = complex(-0.05, middle.imag - slope * (middle.real + 0.05))
    right = complex(1.05, middle.imag + slope * (1.05 - middle.real))
    return branch(left, right, thick * 1.1, thick * 0.9, color, rng)


def occluders(rng: np.random.Generator) -> list[Piece]:
    """Leaves and a twig before the bird; none in half of the pictures."""
    if rng.random() < 0.5:
        return []
    pieces = []
    if rng.random() < 0.45:
        start, end = complex(rng.random(), -0.05), complex(rng.random(), 1.05)
        pieces.append(branch(start, end, 0.028, 0.014, _pick(EARTHS, rng)[0] * 0.8, rng))
    for _ in range(rng.integers(1, 4)):
        colors = GREENS if rng.random() < 0.6 else PALETTE
        length = rng.uniform(0.12, 0.22)
        center = complex(*rng.uniform(0.1, 0.9, 2))
        outline = _leaf(center, length, 0.42 * length, rng.uniform(0, 6.3))
        pieces.append(Piece(outline, _pick(colors, rng)[0], 128, True))
    return pieces
