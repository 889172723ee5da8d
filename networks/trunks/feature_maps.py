"""From what a network gives, a map or tokens, to features [B,C,h,w]; and the size of their cells."""

from collections.abc import Callable, Sequence
from math import isqrt
from typing import Any, NamedTuple

import torch
from torch import Tensor

from calm.errors import UserError

WIDE_SIDES = (160, 288)
"""Two sides, in pixels, whose difference every usual stride divides: for cells that do not tile a picture."""
MOST_FIRST_TOKENS = 9
"""No network has more class and register tokens, which stand in front."""


class Layout(NamedTuple):
    """How features lie in what a network gives, and how far apart their cells are."""

    channels: int
    stride: int
    """Pixels between the centres of neighbouring cells."""
    side: int
    """Of a square picture, in pixels, that the network takes."""
    first_tokens: int | None = None
    """Class and register tokens in front of those of the cells; None for maps."""
    channels_last: bool = False
    """Whether a map is [B,h,w,C]."""

    @property
    def is_convolutional(self) -> bool:
        """Whether the network gives [B,C,h,w] itself."""
        return self.first_tokens is None and not self.channels_last


def last_of(given: Any) -> Any:
    """The last of several maps, or of several sets of tokens where none is a map; or the only one."""
    if not isinstance(given, (list, tuple)) or not given:
        return given
    maps = [one for one in given if isinstance(one, Tensor) and one.ndim == 4]
    return (maps or given)[-1]


def as_map(given: Any, layout: Layout, sides: tuple[int, int]) -> Tensor:
    """[B,C,h,w] of a map or of tokens [B,n,C], or of the last of several; class and register tokens are dropped.

    Args:
        given: by the network.
        layout: of it.
        sides: height and width of the images, pixels.
    """
    given = last_of(given)
    if layout.channels_last:
        return given.permute(0, 3, 1, 2)
    if layout.first_tokens is None:
        return given
    cells = given[:, layout.first_tokens :]
    height = max(1, round((cells.shape[1] * sides[0] / sides[1]) ** 0.5))
    return cells.mT.unflatten(2, (height, -1))


def layout_of(
    features: Callable[[Tensor], Any], *, channels: int | None, first_tokens: int, sides: Sequence[int]
) -> Layout:
    """What pictures of some sides show of a network.

    Args:
        features: pictures [1,3,S,S] -> what the network gives.
        channels: as the network states them; None where it does not.
        first_tokens: number of class and register tokens, as the network states it.
        sides: S in pixels, in the order in which they are tried; cells that tile a picture tell their stride.

    Raises:
        UserError: what it gives is neither a map nor tokens, in words to follow the network's name.
    """
    grids, refusal = {}, ""
    for side in (*sides, *WIDE_SIDES):
        try:
            given = features(torch.zeros(1, 3, side, side))
            rows, layout = _grid(given, channels, first_tokens)
        except (AssertionError, RuntimeError, ValueError) as error:
            refusal = refusal or f"takes no images of {side} pixels ({reason_of(error)})"
            continue
        except UserError as error:
            refusal = str(error)
            continue
        if side in sides and side % rows == 0 and tells_stride(side, rows):
            return layout._replace(stride=side // rows, side=side)
        grids[side] = rows
    small, large = (grids.get(side) for side in WIDE_SIDES)
    step = WIDE_SIDES[1] - WIDE_SIDES[0]
    if small and large and large > small and step % (large - small) == 0:
        return layout._replace(stride=step // (large - small), side=WIDE_SIDES[0])
    raise UserError(refusal or f"has cells at no whole stride: {grids} along the sides of pictures")


def tells_stride(side: int, rows: int) -> bool:
    """Whether ``side`` pixels over so many cells are their stride: few cells may come of rounding, as 4 of 224 / 64."""
    stride = side // rows
    return rows >= 5 or stride & (stride - 1) == 0


def reason_of(error: Exception) -> str:
    """First line of an error, or its kind where it says nothing."""
    return str(error).split("\n")[0].strip() or type(error).__name__


def _grid(given: Any, channels: int | None, first_tokens: int) -> tuple[int, Layout]:
    """(cells along a side, layout but for its stride and side) of what a network gives for one square picture."""
    given = last_of(given)
    if not isinstance(given, Tensor) or given.ndim not in (3, 4):
        what = list(given.shape) if isinstance(given, Tensor) else f"a {type(given).__name__}"
        raise UserError(f"gives {what} in front of its classifier, neither a map nor tokens")
    if given.ndim == 4:
        last = given.shape[1] != channels == given.shape[3]
        rows, columns = given.shape[1:3] if last else given.shape[2:]
        if rows == columns and rows > 1:
            return rows, Layout(given.shape[3 if last else 1], 0, 0, channels_last=last)
        raise UserError(f"gives features of the shape {list(given.shape)}, no square map of several cells")
    for tokens in (first_tokens, *range(MOST_FIRST_TOKENS + 1)):
        cells = given.shape[1] - tokens
        if cells > 1 and isqrt(cells) ** 2 == cells:
            return isqrt(cells), Layout(given.shape[2], 0, 0, first_tokens=tokens)
    raise UserError(f"gives {given.shape[1]} tokens for a square picture, which are no square grid of cells")
