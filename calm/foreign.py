"""Maps, masks and networks as other libraries have them -> ours."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from calm.attribution.score_map import normalize, resize
from calm.errors import UserError

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
    return values


def as_score_maps(maps: Maps, size: int | Sequence[int], norm_type: str, count: int) -> Tensor:
    """Maps of ``count`` images, resized and normalised, [N,H,W] in [0,1]; a wrong one is a ``UserError``."""
    return normalize(resize(as_maps(maps, count), size), norm_type)


def as_masks(masks: Maps) -> Tensor:
    """[N,H,W] bool, on the CPU, true where a value is above 0; another shape is a ``UserError``."""
    values = torch.as_tensor(masks).cpu() > 0
    if values.ndim != 3:
        raise UserError(f"`masks` should be [N,H,W], not {list(values.shape)}")
    return values


@torch.inference_mode()
def as_log_p_y(network: Network, images: Tensor) -> Tensor:
    """log p(y|x) [B,K] by a network of ours, or by any that gives class scores."""
    output = network(images)
    return output.log_p_y if hasattr(output, "log_p_y") else output.float().log_softmax(dim=1)
