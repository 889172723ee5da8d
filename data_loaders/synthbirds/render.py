"""Draw a synthetic bird from the looks of its parts and a pose seed.

Everything that chance decides is drawn from the pose seed without a glance at the looks. So one seed gives the same
bird in the same place whatever its looks are, and a changed or missing part changes the picture only where it was.

Drawing goes in three steps: paint which surface each pixel shows, at twice the resolution; colour the surfaces
through a table; shade, shrink and put the result over the background.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import cv2
import numpy as np

from calm.data_loaders.synthbirds import paint, scene
from calm.data_loaders.synthbirds.anatomy import SHAPES
from calm.data_loaders.synthbirds.classes import COLORS, PARTS, Look
from calm.data_loaders.synthbirds.patterns import add_plumage, mark
from calm.data_loaders.synthbirds.pose import Bird, pose_bird

MIN_SIZE = 48
KEYPOINTS = (
    "back",
    "beak",
    "belly",
    "breast",
    "crown",
    "forehead",
    "left eye",
    "left leg",
    "left wing",
    "nape",
    "right eye",
    "right leg",
    "right wing",
    "tail",
    "throat",
)
HEIGHT = np.zeros(256, np.uint8)  # how far a surface stands out, for the shading
HEIGHT[1:14] = (215, 200, 190, 205, 120, 60, 250, 40, 90, 150, 140, 215, 215)
HEIGHT[paint.SCENERY : paint.MARKED] = 110
HEAD_SURFACES = (paint.HEAD, paint.UPPER_BEAK, paint.LOWER_BEAK, paint.EYE, paint.GLINT)
SURFACES_OF_KEYPOINT = {part: (number,) for number, part in enumerate(PARTS, 1) if part != "head"}
SURFACES_OF_KEYPOINT |= {"far wing": (paint.FAR_WING,), "far leg": (paint.FAR_LEG,)}


class Rendering(NamedTuple):
    """A picture and its exact annotations; masks, keypoints and box tell of what is visible."""

    image: np.ndarray  # uint8 [H,W,3], RGB
    part_mask: np.ndarray  # uint8 [H,W], 1..7 in the order of PARTS, 0 elsewhere
    segmentation: np.ndarray  # uint8 [H,W], 255 on the bird
    keypoints: np.ndarray  # float64 [15,2], x y in pixels, in the order of KEYPOINTS; 0 0 where not visible
    visible: np.ndarray  # bool [15]
    box: tuple[int, int, int, int] | None  # inclusive pixels x0 y0 x1 y1; None where nothing of the bird shows


def render(
    parts: Mapping[str, Look | None] | Sequence[Look | None],
    pose_seed: int | Sequence[int],
    *,
    size: int = 112,
    shape: str = "finch",
) -> Rendering:
    """Draw one picture of ``size`` x ``size`` pixels.

    ``parts`` gives each of the seven parts its look, by name or in the order of PARTS; a part whose look is None is
    not drawn, and what it covered comes into sight. ``pose_seed`` decides pose, place, light, background and
    occluders. ``shape`` is a key of SHAPES.
    """
    looks = dict(parts) if isinstance(parts, Mapping) else dict(zip(PARTS, parts))
    rng = np.random.default_rng(pose_seed)
    bird, perched = pose_bird(SHAPES[shape], rng)
    canvas = paint.Canvas(2 * size)
    view = place_bird(bird, canvas.side, rng)
    feet = complex(view(np.array(bird.feet)) / canvas.side)
    backdrop = scene.background(size, None if perched else feet, rng)
    behind = scene.distractors(rng) + ([scene.perch(feet, rng)] if perched else [])
    before = scene.occluders(rng)
    jitter, shifts = rng.normal(0, 8, (len(PARTS) + 1, 3)), rng.random((len(PARTS), 2))

    drawn = [part for part in PARTS if looks[part] is not None]
    colors = _paint_scene(canvas, bird, view, behind, before, drawn)
    plain = whole = canvas.surface.copy()
    if len(drawn) < len(PARTS):  # shade as on the whole bird, so that nothing changes beside the missing part
        complete = paint.Canvas(canvas.side)
        _paint_scene(complete, bird, view, behind, before, PARTS)
        whole = complete.surface
        canvas.tone[:] = cv2.copyTo(complete.tone, cv2.compare(plain, whole, cv2.CMP_EQ), canvas.tone)
    add_plumage(canvas, bird, view, shifts[0])
    for part, shift in zip(PARTS, shifts):
        look = looks[part]
        if look is not None and look.pattern != "solid":
            mark(canvas, part, look.pattern, bird, view, shift)

    image = _develop(canvas, whole, backdrop, _color_table(looks, jitter, colors), rng)
    return Rendering(image, *_annotate(plain, bird, view))


def _paint_scene(
    canvas: paint.Canvas,
    bird: Bird,
    view: paint.View,
    behind: list[scene.Piece],
    before: list[scene.Piece],
    parts: Sequence[str],
) -> np.ndarray:
    """Paint scenery and bird back to front; returns the colours [n,3] of the scenery."""
    colors = paint.paint_pieces(canvas, behind, paint.SCENERY)
    paint.paint_bird(canvas, bird, view, parts)
    return np.concatenate([colors, paint.paint_pieces(canvas, before, paint.SCENERY + len(behind))])


def place_bird(bird: Bird, side: int, rng: np.random.Generator) -> paint.View:
    """Choose mirroring, scale and position such that the whole bird lies in the picture."""
    torso, radii = bird.torso
    fans = [fan.outlines.ravel() for fan in (bird.tail, bird.wing, bird.far_wing) if fan is not None]
    z = np.concatenate(
        [
            torso + radii,
            torso - radii,
            torso + 1j * radii,
            torso - 1j * radii,
            bird.head,
            bird.beak[0],
            *bird.legs[0],
            *bird.legs[1],
            *fans,
        ]
    )
    unit = paint.View(0j, 1.0, bool(rng.random() < 0.5))
    z = unit(z)
    low = complex(z.real.min(), z.imag.min())
    extent = complex(z.real.max(), z.imag.max()) - low
    scale = side * rng.uniform(0.64, 0.96) / max(extent.real, extent.imag)
    x, y = rng.uniform(0.04, 0.96, 2)
    corner = complex(x * (side - scale * extent.real), y * (side - scale * extent.imag))
    return paint.View(corner - scale * low, scale, unit.flip)


def _color_table(looks: Mapping[str, Look | None], jitter: np.ndarray, scenery: np.ndarray) -> np.ndarray:
    """Colour of every surface, uint8 [256,3]."""
    table = np.zeros((256, 3))
    for number, part in enumerate(PARTS, 1):
        look = looks[part]
        if look is not None:
            table[number] = np.add(COLORS[look.color], jitter[number - 1])
            table[paint.MARKED + number] = np.add(COLORS[look.mark or look.color], jitter[number - 1])
    for far, near in ((paint.FAR_LEG, paint.LEG), (paint.FAR_WING, paint.WING)):
        for marked in (0, paint.MARKED):
            table[marked + far] = 0.80 * table[marked + near]
    table[[paint.UPPER_BEAK, paint.LOWER_BEAK]] = np.array([74, 66, 60]) + 2.5 * jitter[-1, 0]
    table[paint.EYE], table[paint.GLINT] = (22, 18, 20), (255, 255, 255)
    table[paint.SCENERY : paint.SCENERY + len(scenery)] = scenery
    return np.clip(table, 0, 255).astype(np.uint8)


def _develop(
    canvas: paint.Canvas, whole: np.ndarray, backdrop: np.ndarray, table: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Colour, shade and shrink the painted surfaces and lay them over the backdrop; uint8 [size,size,3].

    ``whole`` is the map of surfaces that decides the shading.
    """
    size = len(backdrop)
    small = (size, size)
    flat = cv2.merge([cv2.LUT(canvas.surface, np.ascontiguousarray(table[:, c])) for c in range(3)])
    flat = cv2.resize(flat, small, interpolation=cv2.INTER_AREA).astype(np.float32)
    cover = cv2.resize(paint.where(canvas.surface, 1, 255), small, interpolation=cv2.INTER_AREA)
    tone = cv2.resize(canvas.tone, small, interpolation=cv2.INTER_AREA).astype(np.float32) / 128
    shade = tone * _shading(whole, size, rng)
    image = flat * shade[..., None] + backdrop * (1 - cover.astype(np.float32) / 255)[..., None]

    gain = np.exp(rng.normal(0, 0.10) + rng.normal(0, 0.045, 3)).astype(np.float32)
    grain = rng.normal(0, rng.uniform(1, 4), (size, size)).astype(np.float32)
    return np.clip(image * gain + grain[..., None] + rng.normal(0, 5), 0, 255).astype(np.uint8)


def _shading(surface: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    """Light from above on the rounded forms, float32 [size,size] around 1."""
    height = cv2.resize(cv2.LUT(surface, HEIGHT), (size, size), interpolation=cv2.INTER_AREA).astype(np.float32)
    wide = max(3, round(0.075 * size) | 1)
    broad = cv2.blur(cv2.blur(height, (wide, wide)), (wide, wide))
    fine = cv2.blur(height, (3, 3))
    left, up = rng.uniform(-0.8, 0.8), rng.uniform(0.7, 1.2)
    strength = rng.uniform(0.7, 1.2) * size / 112
    slope = up * cv2.Sobel(broad, -1, 0, 1) + left * cv2.Sobel(broad, -1, 1, 0)
    crisp = up * cv2.Sobel(fine, -1, 0, 1) + left * cv2.Sobel(fine, -1, 1, 0)
    return 1 + np.clip(strength * (slope * 0.0042 + crisp * 0.00035), -0.42, 0.40)


def _annotate(surface: np.ndarray, bird: Bird, view: paint.View) -> tuple:
    """Part mask, segmentation, keypoints, visible flags and box from the map of surfaces at twice the resolution."""
    surface = np.ascontiguousarray(surface[::2, ::2])
    part_mask = cv2.LUT(surface, paint.PART_OF_SURFACE)
    segmentation = paint.where(part_mask, 1, 255)
    keypoints, visible = np.zeros((len(KEYPOINTS), 2)), np.zeros(len(KEYPOINTS), bool)
    sides = {"near": "left", "far": "right"} if view.flip else {"near": "right", "far": "left"}
    for name, candidates in bird.keypoints.items():
        side, _, kind = name.rpartition(" ")
        number = KEYPOINTS.index(f"{sides[side]} {kind}" if side else name)
        surfaces = SURFACES_OF_KEYPOINT.get(name, SURFACES_OF_KEYPOINT.get(kind, HEAD_SURFACES))
        for x, y in np.round(np.stack([view(candidates).real, view(candidates).imag], -1) / 2, 1):
            inside = 0 <= x < len(surface) and 0 <= y < len(surface)
            if inside and surface[int(y), int(x)] in surfaces:
                keypoints[number], visible[number] = (x, y), True
                break
    rows, columns = np.flatnonzero(segmentation.any(1)), np.flatnonzero(segmentation.any(0))
    box = (int(columns[0]), int(rows[0]), int(columns[-1]), int(rows[-1])) if len(rows) else None
    return part_mask, segmentation, keypoints, visible, box
