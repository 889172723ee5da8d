"""What surrounds a synthetic bird: background, distractors in the birds' own colours, perch, occluders.

Sizes are fractions of the image's side, so that a picture keeps its composition at every resolution.
"""

from typing import NamedTuple

import cv2
import numpy as np

from calm.data_loaders.synthbirds.classes import COLORS

PALETTE = np.array(list(COLORS.values()), dtype=np.float32)
SKIES = np.array([(168, 198, 226), (206, 220, 228), (226, 206, 186), (140, 176, 214), (190, 192, 196)], np.float32)
GREENS = np.array([(74, 112, 52), (46, 82, 40), (118, 146, 70), (156, 168, 96), (62, 96, 74)], np.float32)
EARTHS = np.array([(150, 126, 96), (112, 92, 70), (178, 160, 130), (96, 88, 80), (134, 112, 78)], np.float32)
KINDS = ("leaf", "flower", "berry")
WATERS = np.array([(88, 122, 146), (62, 96, 118), (136, 160, 168), (110, 128, 116)], np.float32)

_CIRCLE = np.exp(1j * np.linspace(0, 2 * np.pi, 14, endpoint=False))
_T = np.linspace(0, 1, 8)
_LEAF = np.concatenate([_T + 0.5j * np.sin(np.pi * _T**0.8), (_T - 0.5j * np.sin(np.pi * _T**0.8))[::-1]])
_TURN = np.linspace(0, 2 * np.pi, 40, endpoint=False)
_FLOWER = (0.42 + 0.58 * np.abs(np.cos(2.5 * _TURN)) ** 0.7) * np.exp(1j * _TURN)


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


def background(size: int, feet: complex | None, rng: np.random.Generator) -> np.ndarray:
    """Out-of-focus background, float32 [size,size,3] in 0..255; with ``feet`` (fractions) ground lies below them."""
    image = GROUNDS[rng.choice(4, p=(0.25, 0.4, 0.1, 0.25))](size, rng)
    lights = image.copy()
    count = int(rng.integers(5, 12))
    for color, x, y, radius in zip(_pick(PALETTE, rng, count).tolist(), *rng.random((3, count))):
        center = (int(x * size), int(y * size))
        cv2.circle(lights, center, int((0.03 + 0.08 * radius) * size), color, -1)
    image = cv2.addWeighted(image, 0.35, lights, 0.65, 0)
    if feet is not None:
        ground = (_water if rng.random() < 0.3 else _earth)(size, rng)
        rows = np.arange(size, dtype=np.float32)[:, None] / size - feet.imag + rng.uniform(0.04, 0.16)
        image += (ground - image) * np.clip((rows + 0.02 * _noise(1, 6, size, rng)) * 18, 0, 1)[..., None]
        shadow = np.full((size, size), 1, np.float32)
        center = (int(feet.real * size), int((feet.imag + 0.012) * size))
        cv2.ellipse(shadow, center, (int(0.17 * size), int(0.028 * size)), 0, 0, 360, 0.5, -1)
        image = image * shadow[..., None]
    side = max(3, int(size * rng.uniform(0.02, 0.06)) | 1)
    return cv2.blur(image, (side, side))


def _leaf(root: complex, length: float, width: float, angle: float) -> np.ndarray:
    """A pointed leaf that grows from ``root`` towards ``angle``."""
    return root + np.exp(1j * angle) * (length * _LEAF.real + 1j * width * _LEAF.imag)


def _strip(line: np.ndarray, start: float, end: float) -> np.ndarray:
    """The polygon of a line [n] whose width goes from ``start`` to ``end``."""
    side = 1j * np.gradient(line)
    half = side / np.abs(side) * np.linspace(start, end, len(line)) / 2
    return np.concatenate([line + half, (line - half)[::-1]])


def _edge_point(rng: np.random.Generator) -> complex:
    """A point just outside the picture, seldom at the top."""
    along, side = rng.uniform(0, 1), rng.random()
    if side < 0.45:
        return complex(along, 1.04)
    return complex(-0.04 if side < 0.68 else 1.04, along) if side < 0.91 else complex(along, -0.04)


def _fruit(kind: str, root: complex, angle: float, size: float, colors: np.ndarray) -> list[Piece]:
    """What a spray bears at one place: a leaf, a flower or a berry."""
    if kind == "leaf":
        return [Piece(_leaf(root, 1.7 * size, 0.75 * size, angle), colors[0], 128, True)]
    center = root + 0.6 * size * np.exp(1j * angle)
    if kind == "flower":
        petals = center + 0.62 * size * np.exp(1j * angle) * _FLOWER
        return [Piece(petals, colors[0], 130, True), Piece(center + 0.2 * size * _CIRCLE, colors[1], 128, False)]
    glint = center - 0.12 * size * (1 + 1.2j)
    return [
        Piece(center + 0.36 * size * _CIRCLE, colors[0], 124, False),
        Piece(glint + 0.09 * size * _CIRCLE, colors[0], 196, False),
    ]


def _spray(
    start: complex, end: complex, kind: str, size: float, colors: np.ndarray, rng: np.random.Generator
) -> list[Piece]:
    """A bent twig from ``start`` to ``end`` that bears something; ``colors`` [3,3], the last is the twig's."""
    t = np.linspace(0, 1, 9)
    line = start + (end - start) * (t + 1j * rng.uniform(-0.6, 0.6) * t * (1 - t))
    pieces = [Piece(_strip(line, 0.014, 0.006), colors[2], 120, False)]
    for number, step in enumerate((8, 7, 5, 4, 3)[: rng.integers(3, 6)]):
        tangent = np.angle(line[step] - line[step - 1])
        angle = tangent + (-1) ** number * rng.uniform(0.4, 1.0) * (step < 8)
        pieces += _fruit(kind, line[step], angle, size * rng.uniform(0.8, 1.2), colors)
    return pieces


def distractors(rng: np.random.Generator) -> list[Piece]:
    """Sprays of leaves, flowers or berries in focus behind the bird, in the colours of the birds; 3 to 58 pieces."""
    pieces = []
    for _ in range(rng.integers(2, 6)):
        start = _edge_point(rng)
        end = start + rng.uniform(0.45, 0.8) * (complex(*rng.uniform(0.1, 0.9, 2)) - start)
        colors = np.concatenate([_pick(PALETTE, rng, 2), _pick(GREENS, rng)])
        pieces += _spray(start, end, KINDS[rng.integers(3)], rng.uniform(0.07, 0.125), colors, rng)
    return pieces


def perch(feet: complex, rng: np.random.Generator) -> Piece:
    """The branch under the feet, across the whole picture; ``feet`` in image fractions."""
    slope, thick = rng.uniform(-0.16, 0.16), rng.uniform(0.03, 0.06)
    x = np.linspace(-0.05, 1.05, 9)
    crooked = rng.normal(0, 0.10 * thick, 9)
    line = x + 1j * (feet.imag + 0.4 * thick + slope * (x - feet.real) + crooked * np.abs(x - feet.real) * 4)
    return Piece(_strip(line, 1.1 * thick, 0.85 * thick), _pick(EARTHS, rng)[0] * rng.uniform(0.6, 1.0), 124, True)


def occluders(rng: np.random.Generator) -> list[Piece]:
    """Up to two leafy twigs before the bird; none in 40 % of the pictures."""
    pieces = []
    for _ in range(rng.choice(3, p=(0.4, 0.35, 0.25))):
        start = _edge_point(rng)
        end = start + rng.uniform(0.6, 0.9) * (complex(*rng.uniform(0.2, 0.8, 2)) - start)
        leaves = _pick(GREENS if rng.random() < 0.6 else PALETTE, rng)
        colors = np.concatenate([leaves, leaves, 0.8 * _pick(EARTHS, rng)])
        pieces += _spray(start, end, "leaf", rng.uniform(0.07, 0.11), colors, rng)
    return pieces
