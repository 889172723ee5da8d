"""CUB's own annotation files: attributes per class, keypoints per image. Text in, arrays out; a bad line is named."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from calm.data_loaders.catalogue import DATASETS, dataset_named
from calm.data_loaders.text_lines import fault, read_lines
from calm.errors import UserError

NUM_KEYPOINTS = 15


def annotations_folder(data_root: str | Path, dataset_name: str) -> Path:
    """Folder of a data set with CUB's annotations; any other data set is refused."""
    data_set = dataset_named(dataset_name)
    if not data_set.has_parts:
        suitable = [name for name, other in DATASETS.items() if other.has_parts]
        raise UserError(
            f"`dataset_name`={dataset_name} has no attributes and keypoints: cue localisation takes "
            f"{' or '.join(suitable)}"
        )
    return data_set.root(data_root)


def _numbers(path: Path, width: int, meaning: str) -> np.ndarray:
    """float64 [lines, width] from a file of so many finite numbers a line."""
    rows = [line.split() for line in read_lines(path)]
    if not rows:
        raise UserError(f"{path} is empty: it comes with CUB's annotations")
    try:
        numbers = np.array(rows, dtype=np.float64)
        if numbers.shape[1:] == (width,) and np.isfinite(numbers).all():
            return numbers
    except ValueError:
        pass
    line = next(i for i, row in enumerate(rows, start=1) if not _is_row(row, width))
    raise fault(path, line, f"should be {width} numbers, {meaning}")


def _is_row(words: Sequence[str], width: int) -> bool:
    try:
        return len(words) == width and all(np.isfinite(float(word)) for word in words)
    except ValueError:
        return False


def _numbered(path: Path) -> dict[str, int]:
    """name -> number, from lines ``number name``."""
    numbers: dict[str, int] = {}
    for line, text in enumerate(read_lines(path), start=1):
        number, _, name = text.partition(" ")
        if not number.isdecimal() or not name:
            raise fault(path, line, f"should be a number and a name, not {text!r}")
        numbers[name] = int(number)
    return numbers


def read_attribute_names(root: Path) -> list[str]:
    """Names such as ``has_wing_color::blue``, in the order of their numbers.

    They lie in ``attributes/attributes.txt``, in ``attributes.txt`` beside that folder or, as CUB's archive unpacks, in
    ``attributes.txt`` beside ``root`` itself.
    """
    places = (root / "attributes", root, root.resolve().parent)
    path = next((place / "attributes.txt" for place in places if (place / "attributes.txt").is_file()), None)
    if path is None:
        raise UserError(f"{root / 'attributes/attributes.txt'} is missing: it comes with CUB's annotations")
    numbers = _numbered(path)
    if not numbers:
        raise UserError(f"{path} is empty: it comes with CUB's annotations")
    if sorted(numbers.values()) != list(range(1, len(numbers) + 1)):
        raise UserError(f"{path}: the attributes should be numbered from 1 to {len(numbers)}, each once")
    return sorted(numbers, key=lambda name: numbers[name])


def read_class_attributes(root: Path, num_attributes: int) -> np.ndarray:
    """Which attributes a class has: bool [K, attributes], true where at least 50 % of its images were marked so."""
    path = root / "attributes" / "class_attribute_labels_continuous.txt"
    return _numbers(path, num_attributes, "a percentage for each attribute of attributes.txt") >= 50


def read_keypoints(root: Path, image_ids: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Keypoints of the given images.

    Returns:
        x and y in pixels of the original image, float64 [N,15,2], and visibility, bool [N,15]; keypoint n of
        ``parts/parts.txt`` is at index n-1.
    """
    path = root / "parts" / "part_locs.txt"
    rows = _numbers(path, 5, "image number, keypoint number, x, y, visible")
    image, keypoint, visible = rows[:, 0], rows[:, 1], rows[:, 4]
    bad = (image != image.round()) | ~np.isin(keypoint, range(1, NUM_KEYPOINTS + 1)) | ~np.isin(visible, (0, 1))
    if bad.any():
        wanted = f"image number, keypoint number (1 to {NUM_KEYPOINTS}), x, y, visible (0 or 1)"
        raise fault(path, int(bad.argmax()) + 1, f"should be {wanted}")
    numbers = _numbered(root / "images.txt")
    unknown = next((name for name in image_ids if name not in numbers), None)
    if unknown is not None:
        raise UserError(f"{root / 'images.txt'} lacks the image {unknown}, so that it has no keypoints")
    row_of = {(int(i), int(k)): row for row, (i, k) in enumerate(zip(image, keypoint))}
    return _select(rows, row_of, [numbers[name] for name in image_ids], image_ids, path)


def _select(rows: np.ndarray, row_of: dict, numbers: list[int], image_ids: Sequence[str], path: Path):
    try:
        chosen = [[row_of[number, k] for k in range(1, NUM_KEYPOINTS + 1)] for number in numbers]
    except KeyError as error:
        number, keypoint = error.args[0]
        image_id = image_ids[numbers.index(number)]
        raise UserError(f"{path} lacks keypoint {keypoint} of image {number} ({image_id})") from error
    picked = rows[np.array(chosen, dtype=np.int64).reshape(-1, NUM_KEYPOINTS)]
    return picked[..., 2:4], picked[..., 4] == 1
