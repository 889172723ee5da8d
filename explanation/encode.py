"""The whole p(y,z|x) for a page: in single precision, or in two bytes per class and cell where that is too large.

A page derives several maps from one table, and each has its own maximum: the joint may be 1e-6 where the conditional
is 1. So two bytes store p(y|x,z) by its logarithm. The error is then relative to every single value, and products with
the exact p(z|x), quotients by the exact p(y|x) and sums over classes inherit it. A difference of two classes does not:
where their maps nearly cancel, its error is bounded by theirs.
"""

from typing import NamedTuple

import numpy as np

EXACT_CELLS = 400_000
"""Up to so many values, classes times cells, single precision keeps the page under 3 MB."""
LEVELS = 65535
NEGLIGIBLE = 2.0**-60
"""A value is stored as zero where it is below this share of its class's maximum in conditional and joint alike."""
SMALLEST = float(np.log2(np.finfo(np.float32).tiny))
"""log2 of the smallest probability that float32 holds at full precision; below it counts as zero."""
STATED_BOUND = 1 / 512
"""Largest deviation of a map in the page, as a share of the true map's maximum."""


class Exact(NamedTuple):
    """The values themselves."""

    values: np.ndarray
    """[K,Z] float32."""

    def decode(self) -> np.ndarray:
        """[K,Z] float64 values, as the page computes them."""
        return self.values.astype(np.float64)


class Codes(NamedTuple):
    """code 0 -> 0, else exp2(low + (code - 1) step) where ``logarithmic``; else low + code step. Per class."""

    codes: np.ndarray
    """[K,Z] uint16."""
    low: np.ndarray
    """[K] float64."""
    step: np.ndarray
    """[K] float64."""
    logarithmic: bool

    def decode(self) -> np.ndarray:
        """[K,Z] float64 values, as the page computes them."""
        if not self.logarithmic:
            return self.low[:, None] + self.codes * self.step[:, None]
        values = np.exp2(self.low[:, None] + (self.codes - 1.0) * self.step[:, None])
        return np.where(self.codes == 0, 0.0, values)


def log2_conditional(class_logits: np.ndarray) -> np.ndarray:
    """[K,Z] float64 logits -> log2 p(y|x,z); probabilities that float32 cannot hold are zero, so -inf."""
    log2_p = (class_logits - np.logaddexp.reduce(class_logits, axis=0)) / np.log(2)
    return np.where(log2_p >= SMALLEST, log2_p, -np.inf)


def encode_conditional(log2_p: np.ndarray, p_z: np.ndarray) -> Codes:
    """log2 p(y|x,z) [K,Z] and p(z|x) [Z], float64 -> the codes of p(y|x,z)."""
    conditional = np.exp2(log2_p)
    joint = conditional * p_z
    matters = (conditional > 0) & (
        (conditional >= NEGLIGIBLE * conditional.max(axis=1, keepdims=True))
        | ((joint > 0) & (joint >= NEGLIGIBLE * joint.max(axis=1, keepdims=True)))
    )
    low = np.min(log2_p, axis=1, where=matters, initial=0.0)
    high = np.maximum(low, np.max(log2_p, axis=1, where=matters, initial=SMALLEST))
    step = (high - low) / (LEVELS - 1)
    heights = np.where(matters, log2_p, low[:, None]) - low[:, None]
    codes = 1 + np.round(heights / np.where(step > 0, step, 1.0)[:, None])
    return Codes(np.where(matters, codes, 0).astype(np.uint16), low, step, logarithmic=True)


def encode_scores(class_maps: np.ndarray) -> Codes:
    """CAM's class maps [K,Z] float64, signed, -> their codes, evenly spaced between each map's ends."""
    low, high = class_maps.min(axis=1), class_maps.max(axis=1)
    step = (high - low) / LEVELS
    codes = np.round((class_maps - low[:, None]) / np.where(step > 0, step, 1.0)[:, None])
    return Codes(codes.astype(np.uint16), low, step, logarithmic=False)


def largest_deviation(table: Exact | Codes, true: np.ndarray, weights: np.ndarray) -> float:
    """Largest |decoded - true| over a map's largest |value|, over classes and both ``true`` and ``true * weights``.

    Args:
        table: of ``true``.
        true: [K,Z] float64; a map that is zero everywhere counts only if it is decoded as something else.
        weights: [Z], p(z|x): conditional and joint (and with it the posterior, a multiple) are checked.
    """
    decoded, worst = table.decode(), 0.0
    for factor in (1.0, weights):
        error = np.abs((decoded - true) * factor).max(axis=1)
        largest = np.abs(true * factor).max(axis=1)
        worst = max(worst, float(np.max(error / np.where(largest > 0, largest, 1.0))))
    return worst
