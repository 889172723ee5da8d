"""Attribution map [B,h,w] -> score map [B,H,W] in [0,1]: resize, blur, normalise."""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from calm.errors import UserError

RESIZE_MODES = ("bilinear", "bicubic")


def resize(
    maps: Tensor,
    size: int | Sequence[int],
    *,
    mode: str = "bilinear",
    stride: float | None = None,
    offset: float = 0.0,
) -> Tensor:
    """[B,h,w] -> [B,H,W] with borders replicated and no antialiasing; bilinear between the centres of the cells.

    Args:
        maps: any float values; they keep their unit. Bicubic may overshoot their range.
        size: (H, W), or one number for both.
        mode: "bilinear" (cv2.INTER_LINEAR; paper, Section 5.1) or "bicubic" (cv2.INTER_CUBIC).
        stride: None lays the cells as tiles over the image, as OpenCV does. A number says where they look: the value
            of cell i goes to pixel offset + stride * i of the resized map, along both axes; then mode is bilinear.
        offset: pixel, counted from 0, that the first cell looks at.
    """
    if mode not in RESIZE_MODES:
        raise UserError(f"unknown resize mode {mode!r}: choose from {', '.join(RESIZE_MODES)}")
    height, width = (size, size) if isinstance(size, int) else size
    if stride is not None:
        if mode != "bilinear":
            raise UserError(f"`resize_mode`={mode} goes with `resize_alignment`=grid alone")
        return _sampled(_sampled(maps, 1, height, stride, offset), 2, width, stride, offset)
    if maps.shape[1:] == (height, width):
        return maps
    return F.interpolate(maps[:, None], size=(height, width), mode=mode, align_corners=False)[:, 0]


def _sampled(maps: Tensor, dim: int, size: int, stride: float, offset: float) -> Tensor:
    """Linear interpolation along one axis at every pixel p, whose place among the cells is (p - offset) / stride."""
    last = maps.shape[dim] - 1
    places = ((torch.arange(size, dtype=torch.float64) - offset) / stride).clamp(0, last)
    before = places.floor().long()
    shape = [size if axis == dim else 1 for axis in range(maps.dim())]
    share = (places - before).view(shape).to(maps)
    lower = maps.index_select(dim, before.to(maps.device))
    upper = maps.index_select(dim, (before + 1).clamp_max(last).to(maps.device))
    return lower + share * (upper - lower)  # equal cells give equal pixels


def check_ksize(ksize: int, side: int) -> None:
    """Refuse a kernel that ``smooth`` cannot lay on maps of this side, in pixels."""
    if ksize < 1 or ksize % 2 == 0 or ksize // 2 >= side:
        raise UserError(f"`smoothing_ksize`={ksize} must be odd, positive and below twice the map's side, {side}")


def smooth(maps: Tensor, ksize: int) -> Tensor:
    """Gaussian blur of [B,H,W] maps, for gradient maps before they are normalised (paper, Section 5.1).

    Args:
        maps: raw maps at their final size.
        ksize: odd kernel width in pixels; 1 changes nothing. sigma = 0.3((ksize-1)/2 - 1) + 0.8; the borders are
            reflected without repeating the edge.
    """
    check_ksize(ksize, min(maps.shape[1:]))
    if ksize == 1:
        return maps
    radius = ksize // 2
    sigma = 0.3 * (radius - 1) + 0.8
    offsets = torch.arange(-radius, radius + 1, device=maps.device, dtype=maps.dtype)
    kernel = (-(offsets**2) / (2 * sigma**2)).softmax(dim=0)
    padded = F.pad(maps[:, None], (radius,) * 4, mode="reflect")
    return F.conv2d(F.conv2d(padded, kernel.view(1, 1, 1, -1)), kernel.view(1, 1, -1, 1))[:, 0]


def _over_max(maps: Tensor, low: Tensor, high: Tensor) -> Tensor:
    return maps.clamp_min(0) / high


def min_max(maps: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """Values from ``low`` to ``high`` as 0 to 1; zeros where these are equal.

    Where the difference is more than the type holds, such as 6e38 in float32, halves of the values are taken.
    """
    share = torch.ones_like(low).masked_fill(~(high - low).isfinite(), 0.5)
    span = high * share - low * share
    return (maps * share - low * share) / torch.where(span == 0, torch.ones_like(span), span)


def _clip(maps: Tensor, low: Tensor, high: Tensor) -> Tensor:
    return maps.clamp(0, 1)


NORMALIZATIONS: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "max": _over_max,
    "minmax": min_max,
    "clipping": _clip,
}


def normalize(maps: Tensor, kind: str) -> Tensor:
    """[B,H,W] -> [B,H,W] in [0,1], each map by itself; a constant map, or one with a NaN or infinity, becomes zeros.

    Args:
        maps: signed values in any unit.
        kind: "max" (max(0,s) / max s; paper, Eq. 2), "minmax" ((s - min s) / (max s - min s)) or "clipping"
            (values below 0 and above 1 are cut off, the unit stays: for maps that are probabilities).
    """
    if kind not in NORMALIZATIONS:
        raise UserError(f"unknown `norm_type` {kind!r}: choose from {', '.join(NORMALIZATIONS)}")
    low, high = maps.amin(dim=(1, 2), keepdim=True), maps.amax(dim=(1, 2), keepdim=True)
    usable = maps.isfinite().all(dim=2).all(dim=1)[:, None, None] & (high > low)
    if kind == "max":
        usable = usable & (high > 0)
    scores = NORMALIZATIONS[kind](maps, low, high)
    return torch.where(usable, scores, torch.zeros_like(scores)).clamp(0, 1)
