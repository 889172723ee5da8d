"""From the raw maps of two classes to the score of every pixel: how far it tells class A from class B.

Two readings. The paper's text subtracts score maps, s^A - s^B (Section 5.2), so that one threshold means the same in
all images of a pair; the published code subtracts raw maps and stretches the difference of each image by itself.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from calm.attribution.score_map import check_ksize, normalize, resize, smooth
from calm.errors import UserError

CueScore = Callable[[Tensor, Tensor], Tensor]
"""Raw maps of class A and of class B, [n,h,w] each -> scores [n,S,S], at least 0."""


def _as_they_are(maps: Tensor, ksize: int, norm_type: str) -> Tensor:
    """Probabilities keep their unit; a map with a NaN or infinity becomes zeros."""
    usable = maps.isfinite().all(dim=2).all(dim=1)[:, None, None]
    return torch.where(usable, maps, torch.zeros_like(maps))


def _scaled(maps: Tensor, ksize: int, norm_type: str) -> Tensor:
    """Class maps by Eq. 2 of the paper, each by itself."""
    return normalize(maps, norm_type)


def _blurred(maps: Tensor, ksize: int, norm_type: str) -> Tensor:
    """Gradient maps, blurred, then stretched to [0,1] (paper, Section 5.1)."""
    return normalize(smooth(maps, ksize), "minmax")


TO_SCORE_MAP: dict[str, Callable[[Tensor, int, str], Tensor]] = {
    "probability": _as_they_are,
    "class map": _scaled,
    "gradient": _blurred,
}
"""Kind of attribution -> what makes its resized maps [n,S,S] score maps."""


def text_score(maps_a: Tensor, maps_b: Tensor, *, kind: str, size: int, ksize: int, norm_type: str) -> Tensor:
    """|s^A - s^B| with s a score map; not scaled any further (paper, Section 5.2).

    Args:
        maps_a, maps_b: [n,h,w] raw maps.
        kind: of the attribution, which says what a score map is.
        size: side S of the scores.
        ksize: of the blur of gradient maps, in pixels.
        norm_type: "max" (Eq. 2) or "minmax", for class maps.
    """
    to_score_map = TO_SCORE_MAP[kind]
    score_a, score_b = (to_score_map(resize(maps, size), ksize, norm_type) for maps in (maps_a, maps_b))
    return (score_a - score_b).abs()


def released_score(maps_a: Tensor, maps_b: Tensor, *, kind: str, size: int, ksize: int, norm_type: str) -> Tensor:
    """The raw difference resized, its absolute value normalised per image: [n,S,S] in [0,1] (arguments as above)."""
    difference = maps_a - maps_b
    if kind == "gradient":
        difference = smooth(difference, ksize)
    return normalize(resize(difference, size).abs(), norm_type)


CUE_SCORES: dict[str, Callable[..., Tensor]] = {"text": text_score, "released": released_score}


def cue_score(
    reading: str,
    kind: str,
    *,
    size: int,
    ksize: int,
    norm_type: str,
    aligned: Callable[[Tensor], Tensor] = lambda maps: maps,
) -> CueScore:
    """The score of maps of a kind.

    Args:
        reading: a name in ``CUE_SCORES``.
        kind: of the attribution, a name in ``TO_SCORE_MAP``.
        size, ksize, norm_type: of ``text_score``.
        aligned: what is done to raw maps first, such as laying cells where the trunk looks.
    """
    if reading not in CUE_SCORES:
        raise UserError(f"unknown `cue_score` {reading!r}: choose from {', '.join(CUE_SCORES)}")
    if (reading, kind, norm_type) == ("text", "class map", "clipping"):
        raise UserError("`norm_type`=clipping is for probabilities: of class maps `cue_score`=text takes max or minmax")
    if kind == "gradient":
        check_ksize(ksize, size)
    score = partial(CUE_SCORES[reading], kind=kind, size=size, ksize=ksize, norm_type=norm_type)
    return lambda maps_a, maps_b: score(aligned(maps_a), aligned(maps_b))
