"""Outlines of the parts of a synthetic bird, in the bird's own units (a torso is about 1 long, y up, facing right).

Points of the plane are complex numbers: turning by an angle is a multiplication.
"""

from typing import NamedTuple

import numpy as np


class Shape(NamedTuple):
    """Body shape of a family; lengths in torso lengths, angles in radians."""

    girth: float
    neck: float
    head: float  # radius
    beak: tuple[float, float]  # length, half depth at the base
    tail: tuple[float, float, float]  # length, fan, lift above the body axis
    leg: float
    tilt: float  # mean angle of the body axis
    crest: float = 0.0


SHAPES = {
    "finch": Shape(1.06, 0.25, 0.235, (0.19, 0.105), (0.62, 0.16, -0.02), 0.27, 0.58),
    "thrush": Shape(1.00, 0.28, 0.215, (0.25, 0.060), (0.68, 0.14, 0.00), 0.36, 0.55),
    "warbler": Shape(0.90, 0.25, 0.205, (0.21, 0.042), (0.66, 0.13, 0.05), 0.33, 0.42),
    "wren": Shape(1.12, 0.22, 0.230, (0.23, 0.045), (0.46, 0.20, 1.05), 0.32, 0.30),
    "jay": Shape(0.94, 0.28, 0.225, (0.27, 0.075), (0.86, 0.13, 0.02), 0.42, 0.66, 0.16),
    "wader": Shape(0.98, 0.32, 0.190, (0.46, 0.042), (0.40, 0.20, -0.04), 0.66, 0.34),
    "dove": Shape(1.08, 0.28, 0.180, (0.17, 0.045), (0.80, 0.18, -0.02), 0.26, 0.40),
}
FEATHERS = 10
SPINE = np.array([-0.64 + 0.07j, -0.42 + 0.055j, -0.08 - 0.02j, 0.20 - 0.01j, 0.37 + 0.10j])
_RADII = np.array([0.065, 0.155, 0.285, 0.295, 0.235])
_FEATHER_X = np.array([0, 0.3, 0.62, 0.84, 0.95, 1.0, 0.95, 0.84, 0.62, 0.3, 0])
_FEATHER_Y = np.array([0.30, 0.46, 0.5, 0.43, 0.26, 0, -0.26, -0.43, -0.5, -0.46, -0.30])


def _catmull_rom(count: int, samples: int) -> np.ndarray:
    """Weights [samples, count] of a Catmull-Rom curve through ``count`` control points."""
    position = np.linspace(0, count - 1, samples)
    start = np.minimum(position.astype(int), count - 2)
    t = position - start
    weights = np.zeros((samples, count))
    cubic = (-(t**3) + 2 * t**2 - t, 3 * t**3 - 5 * t**2 + 2, -3 * t**3 + 4 * t**2 + t, t**3 - t**2)
    for offset, weight in zip((-1, 0, 1, 2), cubic):
        np.add.at(weights, (np.arange(samples), np.clip(start + offset, 0, count - 1)), weight / 2)
    return weights


SPINE_WEIGHTS = _catmull_rom(len(SPINE), 22)


def turn(angle: float | np.ndarray) -> np.ndarray:
    """The complex number that turns by ``angle`` radians."""
    return np.exp(1j * np.asarray(angle))


def feathers(root: np.ndarray, direction: np.ndarray, length: np.ndarray, width: np.ndarray) -> np.ndarray:
    """Outlines [n,11] of n feathers; ``direction`` are unit complex numbers."""
    along, across = length[:, None] * _FEATHER_X, width[:, None] * _FEATHER_Y
    return root[:, None] + direction[:, None] * (along + 1j * across)


def bands(fan: "Fan", start: float, end: float) -> np.ndarray:
    """Quadrilaterals [n,4] across every feather of a fan between two fractions of its length."""
    x, y = np.array([start, start, end, end]), np.array([0.56, -0.56, -0.56, 0.56])
    return fan.root[:, None] + fan.direction[:, None] * (fan.length[:, None] * x + 1j * fan.width[:, None] * y)


class Fan(NamedTuple):
    """Feathers that open from a limb: arrays [n]; painted in order, the last on top."""

    root: np.ndarray
    direction: np.ndarray
    length: np.ndarray
    width: np.ndarray

    @property
    def outlines(self) -> np.ndarray:
        """Outlines [n,11] of the feathers."""
        return feathers(*self)

    def along(self, feather: int, *fractions: float) -> np.ndarray:
        """Points on the middle line of one feather."""
        return self.root[feather] + self.direction[feather] * self.length[feather] * np.array(fractions)


def wing(joint: complex, axis: complex, spread: float, lift: float) -> tuple[Fan, tuple[np.ndarray, np.ndarray]]:
    """Feathers and covert discs of a wing; ``spread`` 0 is folded along the back, 1 is raised and fanned."""
    t = np.linspace(1, 0, FEATHERS)  # outermost primary first, so that the inner feathers cover it
    arm = axis * ((1 - spread) * 0.07 * turn(-0.9) + spread * 0.36 * turn(1.75 + lift))
    folded = np.pi - 0.10 + 0.34 * (1 - t) ** 1.5
    raised = np.pi + 0.35 - (1.45 + lift) * t
    direction = axis * turn((1 - spread) * folded + spread * raised)
    length = (1 - spread) * (0.46 + 0.44 * t**1.3) + spread * (0.50 + 0.34 * t**0.8)
    width = (1 - spread) * (0.135 - 0.03 * t) + spread * (0.155 - 0.035 * t)
    root = joint + arm * t
    reach = np.array([0.02, 0.12, 0.22, 0.30])[:, None] * (1 - 0.35 * spread)
    centres = root[::3] + direction[::3] * reach
    radii = np.broadcast_to(np.array([0.115, 0.125, 0.105, 0.075])[:, None] * (1 - 0.25 * spread), centres.shape)
    return Fan(root, direction, length, width), (centres.ravel(), radii.ravel())


def leg(hip: complex, foot: complex, bend: complex, thickness: float, perched: bool) -> list[np.ndarray]:
    """Thigh, tarsus and toes of one leg as polygons."""
    knee = hip + 0.42 * (foot - hip) - bend
    polygons = []
    for a, b, wide, narrow in ((hip, knee, 1.7, 1.0), (knee, foot, 1.05, 0.9)):
        side = 1j * (b - a) / abs(b - a) * thickness / 2
        polygons.append(np.array([a + wide * side, b + narrow * side, b - narrow * side, a - wide * side]))
    reach = 0.09 if perched else 0.15
    for toe in (turn(-0.62), turn(-0.22), turn(0.05), -turn(0.25)):
        tip = foot + reach * toe * (0.8 if toe.real < 0 else 1.0)
        side = 1j * toe * thickness * 0.40
        polygons.append(np.array([foot + side, tip + 0.5 * side, tip + 0.03 * toe, tip - 0.5 * side, foot - side]))
    return polygons


def head(shape: Shape, centre: complex, upright: complex, yaw: float) -> dict:
    """Outline of the head with beak, eyes and landmarks; ``yaw`` 0 looks along the body, pi looks back."""
    radius, facing = shape.head, float(np.cos(yaw))
    angle = np.linspace(0, 2 * np.pi, 28, endpoint=False)
    x = np.cos(angle) * 1.05 + 0.07 * facing
    y = 0.97 * np.sin(angle)
    front = np.sign(facing)
    crest = shape.crest / radius * np.exp(-(((angle - np.pi / 2 - 0.45 * front) / 0.36) ** 2))
    outline = (x - front * crest * 1.3) + 1j * (y + 0.85 * crest)
    length, depth = shape.beak[0] / radius, shape.beak[1] / radius
    f = facing
    gape = 0.98 * f - 0.06j
    tip = (1.02 + length) * f + 1j * (-0.10 - 0.35 * depth)
    upper = np.array([0.86 * f + 1j * depth * 1.1, (1.0 + 0.5 * length) * f + 0.62j * depth, tip, gape - 0.18 * f])
    lower = np.array(
        [
            gape - 0.18 * f,
            tip - 0.08 * length * f,
            (0.9 + 0.35 * length) * f - 0.85j * depth - 0.08j,
            0.78 * f - 1j * depth - 0.08j,
        ]
    )
    eyes = []
    for side, azimuth in (("near", yaw + 1.02), ("far", yaw - 1.02)):
        if np.sin(azimuth) > 0.25:
            eyes.append((side, 0.80 * np.cos(azimuth) + 0.16j, 0.185))
    point = tip + (gape - tip) * np.array([0.12, 0.3, 0.5])
    marks = {
        "beak": point,
        "crown": -0.05 * f + 0.80j,
        "forehead": 0.62 * f + 0.58j,
        "nape": -0.82 * f + 0.05j,
        "throat": 0.45 * f - 0.70j,
    }
    place = lambda points: centre + radius * upright * points  # noqa: E731
    return {
        "head": place(outline),
        "head_frame": (centre, upright, radius, facing),
        "beak": (place(upper), place(lower)),
        "eyes": [(side, complex(place(z)), radius * r) for side, z, r in eyes],
        "marks": {name: place(np.atleast_1d(z)) for name, z in marks.items()},
    }


def torso(shape: Shape, axis: complex, head: complex) -> dict:
    """Discs whose union is torso and neck, and the polygons that cut back and breast out of it."""
    girth = shape.girth
    centres, radii = axis * (SPINE_WEIGHTS @ SPINE), SPINE_WEIGHTS @ _RADII * girth
    shoulder = axis * SPINE[-1]
    t = np.linspace(0.15, 0.9, 5)
    centres = np.append(centres, shoulder + t * (head - shoulder))
    radii = np.append(radii, _RADII[-1] * girth * (1 - t) + 0.86 * shape.head * t)
    ridge = axis * np.array([-0.95 + 0.02j, -0.5 + 0.04j, -0.1 + 0.10j, 0.18 + 0.13j])
    up = 1j * axis
    back = np.concatenate([ridge, [head + 0.1 * axis, head + 0.8 * up - 0.4 * axis, axis * (-0.95 + 0.8j)]])
    tufts = 0.05 + 0.10 * np.linspace(1, -1, 15) ** 2 + 0.018 * (-1.0) ** np.arange(15)  # feathers hang over
    front = axis * np.append(tufts + 1j * np.linspace(0.4, -0.5, 15), [0.9 - 0.7j, 1.3 + 0.9j])
    return {"torso": (centres, radii), "back": back, "breast": front}


def tail(shape: Shape, axis: complex, opening: float, lift: float) -> Fan:
    """Five tail feathers, the middle one on top; ``opening`` scales the fan, ``lift`` turns it off its usual place."""
    length, fan, usual = shape.tail
    order = np.array([-1.0, 1.0, -0.5, 0.5, 0.0])
    direction = -axis * turn(lift - usual + order * fan * opening)
    root = axis * (-0.56 + 0.07j) + 0.05 * order * 1j * axis
    return Fan(root, direction, length * (1.02 - 0.10 * np.abs(order)), np.full(5, 0.13))
