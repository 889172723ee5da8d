"""Patterns on the parts of a synthetic bird: stripes, bars, spots, scales, caps, masks, tips, wing bars."""

from functools import lru_cache

import cv2
import numpy as np

from calm.data_loaders.synthbirds import paint
from calm.data_loaders.synthbirds.anatomy import Fan, bands
from calm.data_loaders.synthbirds.classes import PARTS
from calm.data_loaders.synthbirds.paint import Canvas, View
from calm.data_loaders.synthbirds.pose import Bird

TILE_SCALE = 96  # pixels of a tile per bird unit
TILE_SIDE = 384  # four bird units
WING_BANDS = ((0.30, 0.44), (0.62, 0.76))
TAIL_BANDS = {"barred": ((0.30, 0.44), (0.58, 0.72), (0.86, 1.02)), "tipped": ((0.70, 1.05),)}


@lru_cache(maxsize=8)
def _tile(pattern: str) -> np.ndarray:
    """Texture [side,side] uint8, first axis along y of the part; 255 where the mark shows."""
    y, x = np.mgrid[:TILE_SIDE, :TILE_SIDE] / TILE_SCALE
    wave = 0.012 * np.sin(9 * x + 4 * y) + 0.012 * np.sin(7 * y - 5 * x)
    if pattern == "striped":
        value = np.cos(2 * np.pi * (y + wave) / 0.125)
    elif pattern == "barred":
        value = np.cos(2 * np.pi * (x + wave) / 0.125)
    else:  # rows of spots or scales, every second row shifted by half a step
        step = 0.135 if pattern == "spotted" else 0.15
        row = np.round(y / (0.87 * step))
        u = (x / step + 0.5 * (row % 2)) % 1 - 0.5
        v = y / (0.87 * step) - row
        distance = np.hypot(u, v)
        value = 0.30 - distance if pattern == "spotted" else 0.13 - abs(np.hypot(u, v + 0.25) - 0.50) - 9.0 * (v < -0.3)
        value *= 4
    return np.clip(128 + 400 * value, 0, 255).astype(np.uint8)


@lru_cache(maxsize=1)
def _plumage() -> np.ndarray:
    """Fine strokes of small feathers, tones [side,side] uint8 around 128."""
    noise = np.random.default_rng(0).normal(0, 1, (TILE_SIDE, TILE_SIDE)).astype(np.float32)
    strokes = cv2.GaussianBlur(noise, (0, 0), sigmaX=2.0, sigmaY=0.6)
    return np.clip(128 + 7 * strokes / strokes.std(), 0, 255).astype(np.uint8)


def _laid(tile: np.ndarray, canvas: Canvas, view: View, axis: complex, shift: np.ndarray) -> np.ndarray:
    """A tile laid along ``axis`` over the whole canvas."""
    origin = complex(*(TILE_SIDE * (0.5 + 0.2 * (shift - 0.5))))
    # Inverse of View: z = (p - offset) / scale, mirrored; then turned back by the axis, in pixels of the tile.
    corner = np.array([0, 1, 1j]) - view.offset
    at = (-corner if view.flip else np.conj(corner)) * (TILE_SCALE / view.scale / axis) + origin
    x, y = at[1:] - at[0]
    matrix = np.array([[x.real, y.real, at[0].real], [x.imag, y.imag, at[0].imag]])
    return cv2.warpAffine(tile, matrix, (canvas.side, canvas.side), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)


def add_plumage(canvas: Canvas, bird: Bird, view: View, shift: np.ndarray) -> None:
    """Give head and torso the texture of small feathers; ``shift`` [2] in 0..1 moves it."""
    strokes = _laid(_plumage(), canvas, view, bird.axis, shift)
    canvas.tone[:] = cv2.copyTo(strokes, paint.where(canvas.surface, paint.HEAD, paint.BREAST), canvas.tone)


def _head_mark(pattern: str, bird: Bird) -> np.ndarray:
    """Outline of a head's pattern: cap above the eye, mask through it, brow over it, bib below the beak."""
    center, upright, radius, facing = bird.head_frame
    f = 1.0 if facing > 0 else -1.0
    outline = {
        "capped": [1.3 + 0.25j, 0.9 + 0.30j, -0.2 + 0.30j, -0.7 + 0.05j, -1.5 - 0.1j, -1.5 + 2.2j, 1.3 + 2.2j],
        "masked": [1.3 + 0.14j, 0.6 + 0.42j, 0.0 + 0.38j, -0.8 + 0.12j, -0.85 - 0.1j, 0.0 - 0.16j, 0.6 - 0.12j, 1.3],
        "eyebrow": [0.95 + 0.22j, 0.6 + 0.52j, 0.0 + 0.58j, -0.85 + 0.32j, -0.85 + 0.08j, 0.0 + 0.32j, 0.6 + 0.34j],
        "bibbed": [1.3 - 0.12j, 0.7 - 0.16j, 0.1 - 0.50j, -0.1 - 1.3j, 1.3 - 1.3j],
    }[pattern]
    z = np.array(outline)
    return center + radius * upright * (f * z.real + 1j * z.imag)


def _fan_marks(pattern: str, canvas: Canvas, view: View, fan: Fan, ranges) -> np.ndarray:
    """Mask of bands across a fan of feathers, or of the rims of its feathers."""
    if pattern == "edged":
        mask = np.zeros_like(canvas.surface)
        outlines = list(paint.fixed_point(view(fan.outlines)))
        width = max(2, round(0.038 * view.scale))
        cv2.polylines(mask, outlines, True, 255, width, cv2.LINE_8, paint.SHIFT)
        return mask
    return canvas.polygons(view(np.concatenate([bands(fan, *limits) for limits in ranges])))


def mark(canvas: Canvas, part: str, pattern: str, bird: Bird, view: View, shift: np.ndarray) -> None:
    """Add MARKED to the pixels of a part's surfaces where its pattern shows; ``shift`` [2] in 0..1 moves the tile."""
    surface = PARTS.index(part) + 1
    masks = {}
    if part == "head":
        masks[surface] = canvas.polygons(view(_head_mark(pattern, bird))[None])
    elif part == "tail":
        masks[surface] = _fan_marks(pattern, canvas, view, bird.tail, TAIL_BANDS[pattern])
    elif part == "wing" and pattern != "spotted":
        masks[surface] = _fan_marks(pattern, canvas, view, bird.wing, WING_BANDS)
        if bird.far_wing is not None:
            masks[paint.FAR_WING] = _fan_marks(pattern, canvas, view, bird.far_wing, WING_BANDS)
    else:
        masks[surface] = paint.where(_laid(_tile(pattern), canvas, view, bird.axis, shift), 128, 255)
        if part == "wing":
            masks[paint.FAR_WING] = masks[surface]
    for number, mask in masks.items():
        shown = cv2.bitwise_and(mask, paint.where(canvas.surface, number, number))
        canvas.surface |= shown & np.uint8(paint.MARKED)
