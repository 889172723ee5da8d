"""Score maps that any tool wrote as ``.npy`` or ``.npz`` files, one per image."""

from collections import Counter
from collections.abc import Collection, Iterable
from pathlib import Path, PurePosixPath

import numpy as np

from calm.errors import UserError

SUFFIXES = (".npy", ".npz")


def shared_stems(image_ids: Iterable[str]) -> set[str]:
    """Ids without their suffix that stand for several images, such as x of x.jpg and x.png."""
    counts = Counter(str(PurePosixPath(image_id).with_suffix("")) for image_id in image_ids)
    return {stem for stem, count in counts.items() if count > 1}


def score_map_path(root: str | Path, image_id: str, shared: Collection[str] = ()) -> Path:
    """``<root>/<image id>.npy`` (x.jpg.npy), else x.npy; or the same as .npz.

    Args:
        root: folder of the maps.
        image_id: of the image.
        shared: ``shared_stems`` of the data set; of one of these only the whole name will do.

    Raises:
        UserError: none of them is there, or x.npy could be the map of several images.
    """
    image = Path(root) / image_id
    for suffix in SUFFIXES:
        whole, stem = image.with_name(image.name + suffix), image.with_suffix(suffix)
        if whole.is_file():
            return whole
        if stem.is_file():
            if str(PurePosixPath(image_id).with_suffix("")) in shared:
                raise UserError(f"{stem} could be the map of several images: name the map of {image_id} {whole.name}")
            return stem
    raise UserError(
        f"{image}.npy is missing, and so is {image.with_suffix('.npy').name} beside it: "
        "`scoremap_root` needs a map of every image"
    )


def shape_of(path: Path) -> tuple[int, ...] | None:
    """The shape of the map in a file, from the header of a .npy; None where it cannot be told."""
    try:
        return (np.load(path, mmap_mode="r", allow_pickle=False) if path.suffix == ".npy" else _array(path)).shape
    except Exception:  # ``read_score_map`` says what is wrong
        return None


def _array(path: Path) -> np.ndarray:
    """The one array of a file."""
    content = np.load(path, allow_pickle=False)
    if isinstance(content, np.ndarray):
        return content
    with content:
        if len(content.files) != 1:
            raise UserError(f"{path} holds {len(content.files)} arrays: write one map per file")
        return content[content.files[0]]


def read_score_map(path: str | Path) -> np.ndarray:
    """The map, two-dimensional, of any size, in [0,1]; float32 or float64.

    Raises:
        UserError: the file is not such a map.
    """
    try:
        values = _array(Path(path))
    except UserError:
        raise
    except Exception as error:  # a damaged header also raises TypeError, OverflowError, MemoryError, TokenError ...
        raise UserError(f"{path} is not a .npy array: write it with numpy.save, without objects") from error
    if values.dtype.kind not in "fiub":
        raise UserError(f"{path} holds {values.dtype}, not numbers")
    if values.ndim != 2 or not values.size:
        raise UserError(f"{path} has shape {values.shape}: a score map is two-dimensional, (height, width)")
    if np.isnan(values).any():
        raise UserError(f"{path} has NaN in {int(np.isnan(values).sum())} places: a score map lies in [0, 1]")
    low, high = values.min(), values.max()
    if low < 0 or high > 1:
        raise UserError(f"{path} has values from {float(low)!r} to {float(high)!r}: a score map lies in [0, 1]")
    return values if values.dtype == np.float64 else values.astype(np.float32, copy=False)
