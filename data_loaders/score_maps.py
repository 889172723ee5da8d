"""Score maps that any tool wrote as ``.npy`` files, one per image."""

from pathlib import Path

import numpy as np

from calm.errors import UserError


def score_map_path(root: str | Path, image_id: str) -> Path:
    """``<root>/<image id>.npy`` (x.jpg.npy), else x.npy.

    Raises:
        UserError: neither is there.
    """
    whole = Path(root) / f"{image_id}.npy"
    stem = (Path(root) / image_id).with_suffix(".npy")
    for path in (whole, stem):
        if path.is_file():
            return path
    raise UserError(f"{whole} is missing, and so is {stem.name} beside it: `scoremap_root` needs a map of every image")


def read_score_map(path: str | Path, size: int) -> np.ndarray:
    """The map, [size,size] in [0,1], in the file's own precision.

    Raises:
        UserError: the file is not such a map.
    """
    try:
        values = np.load(path, allow_pickle=False)
    except Exception as error:  # a damaged header also raises TypeError, OverflowError, MemoryError, TokenError ...
        raise UserError(f"{path} is not a .npy array: write it with numpy.save, without objects") from error
    if not isinstance(values, np.ndarray):
        raise UserError(f"{path} holds several arrays: write one map per file with numpy.save")
    if values.dtype.kind not in "fiub":
        raise UserError(f"{path} holds {values.dtype}, not numbers")
    if values.shape != (size, size):
        raise UserError(f"{path} has shape {values.shape}: a score map is two-dimensional, ({size}, {size})")
    if np.isnan(values).any():
        raise UserError(f"{path} has NaN in {int(np.isnan(values).sum())} places: a score map lies in [0, 1]")
    low, high = values.min(), values.max()
    if low < 0 or high > 1:
        raise UserError(f"{path} has values from {float(low)!r} to {float(high)!r}: a score map lies in [0, 1]")
    return values
