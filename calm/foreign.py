"""Maps, masks and networks as other libraries have them -> ours."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from calm.arguments import check_count
from calm.attribution.class_score import evaluating
from calm.attribution.score_map import normalize, resize
from calm.errors import UserError
from calm.wsol_eval.pxap import IGNORED, OBJECT

Maps = Tensor | ArrayLike
Network = Callable[[Tensor], Any]


def as_maps(maps: Maps, count: int) -> Tensor:
    """[N,h,w] float, of maps as libraries give them.

    Raises:
        UserError: another shape, or maps of another number of images than ``count``.
    """
    values = (maps.detach() if isinstance(maps, Tensor) else torch.from_numpy(np.asarray(maps))).float()
    if values.ndim == 4 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 3:
        raise UserError(
            f"`maps` should be [N,h,w] or [N,1,h,w], not {list(values.shape)}; add channels up, as maps.sum(1) does"
        )
    if len(values) != count:
        raise UserError(f"`maps` holds {len(values)} maps for {count} images")
    if not values.numel():
        raise UserError(f"`maps` has no values: its shape is {list(values.shape)}")
    return values


def as_score_maps(maps: Maps, size: int | Sequence[int], norm_type: str, count: int) -> Tensor:
    """Maps of ``count`` images, resized and normalised, [N,H,W] in [0,1]; a wrong one is a ``UserError``."""
    return normalize(resize(as_maps(maps, count), size), norm_type)


def as_size(size: int | Sequence[int]) -> tuple[int, int]:
    """(H, W) in pixels, of one number for both or of two; another is a ``UserError``."""
    sides = np.ravel(size).tolist() * (1 if np.ndim(size) else 2)
    if len(sides) != 2:
        raise UserError(f"`size` should be a number or (H, W), not {size}")
    height, width = (check_count(side, name="size") for side in sides)
    return height, width


def as_boxes(boxes: Sequence[ArrayLike], size: tuple[int, int]) -> list[np.ndarray]:
    """The boxes int64 [n,4] of every image of ``size``, inclusive whole pixels x0 y0 x1 y1.

    One may end a pixel past the last, as those do that were scaled from an image in which x1 is its width.

    Raises:
        UserError: an image without a box, fractions, an inverted box or one that is not in its image.
    """
    height, width = size
    found = []
    for index, own in enumerate(boxes):
        values = np.asarray(own, dtype=np.float64)
        if values.ndim != 2 or not len(values) or values.shape[1] != 4:
            raise UserError(f"`boxes` of image {index} should be [n,4] with n above 0, not {list(values.shape)}")
        if not (values == np.floor(values)).all():  # NaN is not equal to itself
            raise UserError(f"`boxes` of image {index} should be whole pixels x0 y0 x1 y1, not {values.tolist()}")
        for x0, y0, x1, y1 in values.astype(np.int64).tolist():
            if not (0 <= x0 <= x1 and 0 <= y0 <= y1):
                raise UserError(f"`boxes` of image {index}: {x0},{y0},{x1},{y1} should be x0,y0,x1,y1 from 0")
            if x0 >= width or y0 >= height or x1 > width or y1 > height:
                raise UserError(
                    f"`boxes` of image {index}: {x0},{y0},{x1},{y1} is outside its {width} x {height} pixels"
                )
        found.append(values.astype(np.int64))
    return found


def as_labels(masks: Maps) -> np.ndarray:
    """[N,H,W] of 1 (object), 0 (background) and 255 (ignored); anything else is a ``UserError``."""
    labels = np.asarray(masks.cpu() if isinstance(masks, Tensor) else masks)
    if labels.ndim != 3:
        raise UserError(f"`masks` should be [N,H,W], not {list(labels.shape)}")
    if not np.isin(labels, (0, OBJECT, IGNORED)).all():
        raise UserError("`masks` should hold 1 (object), 0 (background) and 255 (ignored), nothing else")
    if (labels == IGNORED).any() and not (labels == OBJECT).any():
        raise UserError("`masks` has no object pixel (1): 255 is what does not count")
    return labels


def as_masks(masks: Maps) -> Tensor:
    """[N,H,W] bool, on the CPU, true where a value is above 0; another shape is a ``UserError``."""
    values = torch.as_tensor(masks).cpu() > 0
    if values.ndim != 3:
        raise UserError(f"`masks` should be [N,H,W], not {list(values.shape)}")
    return values


@torch.inference_mode()
def as_log_p_y(network: Network, images: Tensor) -> Tensor:
    """log p(y|x) [B,K] by a network of ours, or by any that gives class scores; other output is a ``UserError``.

    A module runs in evaluation mode, and is left as it was.
    """
    with evaluating(network) if isinstance(network, nn.Module) else nullcontext():
        output = network(images)
    if hasattr(output, "log_p_y"):
        return output.log_p_y
    if not isinstance(output, Tensor) or output.ndim != 2 or len(output) != len(images):
        found = list(output.shape) if isinstance(output, Tensor) else f"a {type(output).__name__}"
        raise UserError(f"`network` should give class scores [B,K] of {len(images)} images, not {found}")
    return output.float().log_softmax(dim=1)
