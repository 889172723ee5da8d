"""Score maps that any tool wrote as ``.npy`` files, one per image."""

from collections import Counter
from collections.abc import Collection, Iterable
from pathlib import Path, PurePosixPath

import numpy as np

from calm.errors import UserError


def shared_stems(image_ids: Iterable[str]) -> set[str]:
    """Ids without their suffix that stand for several images, such as x of x.jpg and x.png."""
    counts = Counter(str(PurePosixPath(image_id).with_suffix("")) for image_id in image_ids)
    return {stem for stem, count in counts.items() if count > 1}


def score_map_path(root: str | Path, image_id: str, shared: Collection[str] = ()) -> Path:
    """``<root>/<image id>.npy`` (x.jpg.npy), else x.npy.

    Args:
        root: folder of the maps.
        image_id: of the image.
        shared: ``shared_stems`` of the data set; of one of these only the whole name will do.

    Raises:
        UserError: neither is there, or x.npy could be the map of several images.
    """
    whole = Path(root) / f"{image_id}.npy"
    stem = (Path(root) / image_id).with_suffix(".npy")
    if whole.is_file():
        return whole
    if stem.is_file():
        if str(PurePosixPath(image_id).with_suffix("")) in shared:
            raise UserError(f"{stem} could be the map of several images: name the map of {image_id} {whole.name}")
        return stem
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
