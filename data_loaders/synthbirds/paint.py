"""Paint a posed bird and its scenery as a map of surface numbers, back to front."""

from collections.abc import Collection
from typing import NamedTuple

import cv2
import numpy as np

from calm.data_loaders.synthbirds.anatomy import Fan
from calm.data_loaders.synthbirds.classes import PARTS
from calm.data_loaders.synthbirds.pose import Bird
from calm.data_loaders.synthbirds.scene import Piece

HEAD, BACK, BELLY, BREAST, TAIL, LEG, WING, FAR_LEG, FAR_WING, UPPER_BEAK, LOWER_BEAK, EYE, GLINT = range(1, 14)
SCENERY = 16  # surfaces 16..127 are branches, leaves and flowers
MARKED = 128  # added to a bird's surface where its pattern shows
PART_OF_SURFACE = np.zeros(256, np.uint8)
PART_OF_SURFACE[1:14] = (1, 2, 3, 4, 5, 6, 7, 6, 7, 1, 1, 1, 1)
PART_OF_SURFACE[MARKED : MARKED + 14] = PART_OF_SURFACE[:14]
SHIFT = 4  # bits of OpenCV's sub-pixel precision


class View(NamedTuple):
    """Where the bird stands in the picture: from bird units (y up) to pixels (y down), perhaps mirrored."""

    offset: complex
    scale: float  # pixels per bird unit
    flip: bool

    def __call__(self, z: np.ndarray) -> np.ndarray:
        return self.offset + self.scale * (-z if self.flip else np.conj(z))


class Canvas:
    """Square maps [side,side] of surface numbers and of detail tones (128 is neutral)."""

    def __init__(self, side: int):
        self.side = side
        self.surface = np.zeros((side, side), np.uint8)
        self.tone = np.full((side, side), 128, np.uint8)

    def paint(self, surface: int, outline: np.ndarray, tone: int = 128, edge: int = 0) -> None:
        """Fill the polygon ``outline`` (complex, pixels); with ``edge`` draw its rim in that tone."""
        points = fixed_point(outline)
        cv2.fillPoly(self.surface, [points], surface, cv2.LINE_8, SHIFT)
        cv2.fillPoly(self.tone, [points], tone, cv2.LINE_8, SHIFT)
        if edge:
            cv2.polylines(self.tone, [points], True, edge, max(1, self.side // 300), cv2.LINE_AA, SHIFT)

    def paint_mask(self, surface: int, mask: np.ndarray) -> None:
        """Give the pixels of ``mask`` to ``surface``."""
        self.surface[:] = cv2.copyTo(np.full_like(mask, surface), mask, self.surface)
        self.tone[:] = cv2.copyTo(np.full_like(mask, 128), mask, self.tone)

    def polygons(self, outlines: np.ndarray) -> np.ndarray:
        """Union of polygons (complex [n,m], pixels) as a mask [side,side] of 0 and 255."""
        mask = np.zeros_like(self.surface)
        for points in fixed_point(outlines):
            cv2.fillPoly(mask, [points], 255, cv2.LINE_8, SHIFT)
        return mask

    def discs(self, centres: np.ndarray, radii: np.ndarray) -> np.ndarray:
        """Union of discs (centres complex [n], radii [n], pixels) as a mask [side,side] of 0 and 255."""
        mask = np.zeros_like(self.surface)
        radii = (radii * (1 << SHIFT)).round().astype(int).tolist()
        for center, radius in zip(fixed_point(centres).tolist(), radii):
            cv2.circle(mask, center, radius, 255, -1, cv2.LINE_8, SHIFT)
        return mask


def where(pixels: np.ndarray, low: int, high: int) -> np.ndarray:
    """uint8 mask, 255 where a pixel is from ``low`` to ``high``, both included, and 0 elsewhere."""
    return cv2.inRange(pixels, (low,), (high,))


def fixed_point(z: np.ndarray) -> np.ndarray:
    """Complex pixel positions as OpenCV's fixed-point int32 [...,2]."""
    pairs = np.ascontiguousarray(z, dtype=np.complex128).view(np.float64).reshape(*np.shape(z), 2)
    return (pairs * (1 << SHIFT)).round().astype(np.int32)


def paint_bird(canvas: Canvas, bird: Bird, view: View, parts: Collection[str] = PARTS) -> None:
    """Paint the surfaces of ``parts``, back to front; what a missing part would cover stays in sight."""
    if "wing" in parts and bird.far_wing is not None and bird.far_coverts is not None:
        _paint_wing(canvas, FAR_WING, bird.far_wing, bird.far_coverts, view)
    if "tail" in parts:
        for number, outline in enumerate(view(bird.tail.outlines)):
            canvas.paint(TAIL, outline, 118 + 3 * number, 84)
    if "leg" in parts:
        for surface, polygons in zip((FAR_LEG, LEG), bird.legs):
            for outline in polygons:
                canvas.paint(surface, view(outline))
    _paint_torso(canvas, bird, view, parts)
    if "head" in parts:
        _paint_head(canvas, bird, view)
    if "wing" in parts:
        _paint_wing(canvas, WING, bird.wing, bird.coverts, view)


def _paint_torso(canvas: Canvas, bird: Bird, view: View, parts: Collection[str]) -> None:
    """Belly, breast and back share one rounded outline."""
    torso = canvas.discs(view(bird.torso[0]), bird.torso[1] * view.scale)
    region = np.zeros_like(torso)
    for number, cut in ((1, bird.breast), (2, bird.back)):
        cv2.fillPoly(region, [fixed_point(view(cut))], number, cv2.LINE_8, SHIFT)
    for number, part in enumerate(("belly", "breast", "back")):
        if part in parts:
            mask = cv2.bitwise_and(torso, where(region, number, number))
            canvas.paint_mask(PARTS.index(part) + 1, mask)


def _paint_head(canvas: Canvas, bird: Bird, view: View) -> None:
    canvas.paint(HEAD, view(bird.head))
    canvas.paint(LOWER_BEAK, view(bird.beak[1]), 108)
    canvas.paint(UPPER_BEAK, view(bird.beak[0]), 134)
    for _, center, radius in bird.eyes:
        pixel, radius = view(np.array(center)), radius * view.scale
        for surface, offset, size in ((EYE, 0, 1.0), (GLINT, -0.30 - 0.35j, 0.38)):
            x, y = fixed_point(pixel + offset * radius).tolist()
            cv2.circle(canvas.surface, (x, y), int(size * radius * (1 << SHIFT)), surface, -1, cv2.LINE_8, SHIFT)


def _paint_wing(canvas: Canvas, surface: int, fan: Fan, coverts: tuple[np.ndarray, np.ndarray], view: View) -> None:
    for number, outline in enumerate(view(fan.outlines)):
        canvas.paint(surface, outline, 118 + 4 * (number % 3), 82)
    centers, radii = view(coverts[0]), coverts[1] * view.scale
    canvas.paint_mask(surface, canvas.discs(centers, radii))
    for center, radius in zip(fixed_point(centers).tolist(), (radii * 0.9).tolist()):
        axes = (int(radius * (1 << SHIFT)),) * 2
        start = 60 if view.flip else 30
        cv2.ellipse(canvas.tone, center, axes, 0, start, start + 90, 104, 1, cv2.LINE_AA, SHIFT)


def paint_pieces(canvas: Canvas, pieces: list[Piece], first: int) -> np.ndarray:
    """Paint scenery as surfaces first, first + 1 ...; returns their colours [n,3]."""
    for number, piece in enumerate(pieces):
        outline = piece.outline * canvas.side
        canvas.paint(first + number, outline, piece.tone, 104 if piece.vein else 0)
        if piece.vein and len(outline) < 40:
            half = len(outline) // 2
            middle = (outline[:half] + outline[::-1][:half]) / 2
            cv2.polylines(canvas.tone, [fixed_point(middle)], False, 100, 1, cv2.LINE_AA, SHIFT)
    return np.array([piece.color for piece in pieces], np.float32).reshape(-1, 3)
