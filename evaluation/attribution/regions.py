"""The pixels an object covers, as a mask, from its boxes or its object masks."""

import torch
from torch import Tensor

from calm.data_loaders.truth import Truth
from calm.errors import UserError
from calm.wsol_eval.pxap import OBJECT


def region_of(truth: Truth, kind: str | None, size: int) -> Tensor:
    """[size,size] bool: the union of the boxes (inclusive pixels), or the object mask without its ignored pixels.

    Where the data set has neither and no kind is asked for, no pixel: measures of place leave such an image out.

    Args:
        truth: boxes and masks of one image, as far as its data set has them.
        kind: "boxes" or "masks"; None takes boxes where there are any.
        size: side of the score map.

    Raises:
        UserError: if the data set has none of that kind.
    """
    if kind is None and truth.boxes is None and truth.masks is None:
        return torch.zeros(size, size, dtype=torch.bool)
    kind = kind or ("boxes" if truth.boxes is not None else "masks")
    mask = truth.mask(size) if kind == "masks" else None
    if mask is not None:
        return torch.from_numpy(mask == OBJECT)
    if kind == "masks" or truth.boxes is None:
        raise UserError(f"`regions`={kind}: this data set has none")
    region = torch.zeros(size, size, dtype=torch.bool)
    for x0, y0, x1, y1 in truth.boxes.tolist():
        region[y0 : y1 + 1, x0 : x1 + 1] = True
    return region
