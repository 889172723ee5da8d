"""Pose of a synthetic bird: body tilt, head turn, wing spread, tail and stance, drawn from a random generator.

Nothing here knows of pixels or of the looks of the parts, so one pose can be drawn with any looks.
"""

from typing import NamedTuple

import numpy as np

from calm.data_loaders.synthbirds.anatomy import SPINE, Fan, Shape, head, leg, tail, torso, turn, wing

_MANTLE = np.array([-0.10 + 0.22j, -0.3 + 0.15j, 0.1 + 0.24j, 0.22 + 0.28j, -0.42 + 0.12j])
"""Points of the back above the folded wing, the best for the keypoint first."""


class Bird(NamedTuple):
    """Outlines of one posed bird, complex, y up; ``discs`` are (centres, radii)."""

    torso: tuple[np.ndarray, np.ndarray]
    back: np.ndarray
    breast: np.ndarray
    axis: complex  # direction of the torso, tail to shoulder
    head: np.ndarray
    head_frame: tuple[complex, complex, float, float]  # centre, upright direction, radius, facing in [-1,1]
    beak: tuple[np.ndarray, np.ndarray]  # upper and lower mandible
    eyes: list[tuple[str, complex, float]]  # side, centre, radius of the visible ones
    tail: Fan
    legs: tuple[list[np.ndarray], list[np.ndarray]]  # far, near
    feet: complex
    wing: Fan
    coverts: tuple[np.ndarray, np.ndarray]
    far_wing: Fan | None
    far_coverts: tuple[np.ndarray, np.ndarray] | None
    keypoints: dict[str, np.ndarray]  # name -> candidates, the best first; sides are near and far


def pose_bird(shape: Shape, rng: np.random.Generator) -> tuple[Bird, bool]:
    """Draw a pose; returns the bird and whether it perches (else it stands on the ground)."""
    perched = bool(rng.random() < 0.62)
    tilt = shape.tilt + rng.uniform(-0.24, 0.24) - (0.0 if perched else 0.18)
    axis = complex(turn(tilt))
    looks = _pose_head(shape, axis, tilt, rng)
    center = looks["head_frame"][0]

    spread = rng.uniform(0.0, 0.10) if rng.random() < 0.66 else rng.uniform(0.35, 1.0)
    lift = rng.uniform(-0.25, 0.25)
    joint = axis * (0.20 + 0.07j)
    near_wing, coverts = wing(joint, axis, spread, lift)
    far_wing = far_coverts = None
    if spread > 0.3:
        far_wing, far_coverts = wing(joint + 0.10 * axis + 0.03j, axis, 0.95 * spread, lift - 0.42)
    rear = tail(shape, axis, rng.uniform(0.5, 2.0), rng.uniform(-0.16, 0.16))
    legs, feet = _pose_legs(shape, axis, perched, rng)

    keypoints = looks.pop("marks") | {
        "back": axis * np.append(_MANTLE, [-0.02 + 0.25j, 0.30 + 0.30j, 0.36 + 0.34j, -0.50 + 0.10j]),
        "belly": axis * np.array([-0.10 - 0.20j, -0.22 - 0.16j, -0.05 - 0.26j, -0.35 - 0.06j]),
        "breast": axis * np.array([0.36 - 0.12j, 0.28 - 0.20j, 0.46 + 0.0j, 0.2 - 0.24j]),
        "tail": rear.along(4, 0.6, 0.8, 0.92, 0.4),
        "near wing": np.append(coverts[0][5], near_wing.along(5, 0.5, 0.7)),
        "near leg": feet[1] + np.array([0.35, 0.6, 0.15]) * (legs[1][1][0] - feet[1]),
        "far leg": feet[0] + np.array([0.35, 0.6, 0.15]) * (legs[0][1][0] - feet[0]),
    }
    if far_wing is not None:
        keypoints["far wing"] = far_wing.along(1, 0.8, 0.6, 0.92)
    keypoints |= {f"{side} eye": np.array([place]) for side, place, _ in looks["eyes"]}
    bird = Bird(
        **torso(shape, axis, center),
        axis=axis,
        **looks,
        tail=rear,
        legs=legs,
        feet=sum(feet) / 2,
        wing=near_wing,
        coverts=coverts,
        far_wing=far_wing,
        far_coverts=far_coverts,
        keypoints=keypoints,
    )
    return bird, perched


def _pose_head(shape: Shape, axis: complex, tilt: float, rng: np.random.Generator) -> dict:
    """The head with neck stretch, turn and nod: fields of Bird, and ``marks``."""
    looks_back = rng.random() < 0.22
    yaw = np.pi - rng.uniform(-0.4, 0.6) if looks_back else rng.uniform(-0.45, 0.75)
    rise = 0.55 * tilt + rng.uniform(0.62, 1.25) + (0.25 if looks_back else 0.0)
    center = axis * SPINE[-1] + shape.neck * rng.uniform(0.92, 1.25) * turn(rise)
    return head(shape, complex(center), complex(turn(rng.uniform(-0.30, 0.28))), yaw)


def _pose_legs(shape: Shape, axis: complex, perched: bool, rng: np.random.Generator) -> tuple[tuple, tuple]:
    """Far and near leg, and where their feet stand."""
    stance, drop = rng.uniform(0.05, 0.13), shape.leg * rng.uniform(0.92, 1.1)
    hip = axis * (-0.06 - 0.24j * shape.girth)
    middle = complex(0.5 * hip.real + rng.uniform(-0.02, 0.10), hip.imag - drop)
    feet = (middle + stance + 0.03j, middle - stance)
    hips, thickness = (hip + 0.07 * axis, hip - 0.03 * axis), 0.080 if shape.leg < 0.5 else 0.066
    return tuple(leg(a, b, 0.05 * axis, thickness, perched) for a, b in zip(hips, feet)), feet
