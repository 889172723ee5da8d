"""CUB-200-2011 and CUBV2 -> records."""

import math
from collections.abc import Callable, Collection
from pathlib import Path

from calm.data_loaders.images import read_size
from calm.data_loaders.record import Box, Record, Size
from calm.data_loaders.scan import class_folders, files_of
from calm.data_loaders.text_lines import fault, integers, read_rows
from calm.errors import UserError

ANNOTATIONS = ("images.txt", "image_class_labels.txt", "train_test_split.txt", "bounding_boxes.txt", "classes.txt")


def records(data_root: Path, say: Callable[[str], None]) -> dict[str, list[Record]]:
    """Train and test from CUB's annotation files, val from the folders of CUBV2 where it is there.

    Where some of the images are there, these are listed, so that a part of CUB can be used. Where none is, all are,
    without sizes and with boxes that are not cut to them. CUBV2's boxes exist in the published list only.
    """
    root = data_root / "CUB"
    for name in ANNOTATIONS:
        if not (root / name).is_file():
            raise UserError(f"{root / name} does not exist: unpack CUB_200_2011.tgz and name its folder {root}")
    ids = _read_numbered(root / "images.txt")
    classes = _read_numbered(root / "classes.txt")
    labels = _read_column(root / "image_class_labels.txt", "image,class", ids, allowed=classes)
    is_training = _read_column(root / "train_test_split.txt", "image,is_training", ids, allowed=(0, 1))
    boxes = _read_boxes(root / "bounding_boxes.txt", ids)
    sizes = {
        number: read_size(path, listed=f"{root / 'images.txt'}")
        for number, image_id in ids.items()
        if (path := root / "images" / image_id).is_file()
    }
    splits: dict[str, list[Record]] = {"train": [], "test": []}
    for number in sizes or ids:
        size = sizes.get(number)
        box = inclusive_box(*boxes[number], size=size)
        splits["train" if is_training[number] else "test"].append(
            Record(ids[number], labels[number] - 1, size=size, boxes=(box,))
        )
    if missing := len(ids) - len(sizes):
        so = "they are left out" if sizes else "no sizes for them, boxes not clipped"
        say(f"{missing:,} of {len(ids):,} images are not in {root / 'images'}: {so}")
    val = _cubv2_records(data_root / "CUBV2", {name: number - 1 for number, name in classes.items()})
    if val:
        say("val: the boxes of CUBV2 are in the published lists only; localization.txt is left empty")
        splits["val"] = val
    else:
        say(f"val: {data_root / 'CUBV2'} has no images; take the published lists, or fetch CUBV2 and run this again")
    return splits


def inclusive_box(x: float, y: float, width: float, height: float, *, size: Size | None) -> Box:
    """CUB's x, y, width, height -> x0, y0, x1, y1 in whole pixels, cut to the image where its size is known."""
    x1, y1 = int(x + width), int(y + height)
    if size is not None:
        x1, y1 = min(x1, size[0] - 1), min(y1, size[1] - 1)
    return int(x), int(y), x1, y1


def _cubv2_records(root: Path, targets: dict[str, int]) -> list[Record]:
    found = []
    for folder in class_folders(root):
        if folder.name not in targets:
            raise UserError(f"{folder} is not a class of CUB's classes.txt")
        for path in files_of(folder):
            found.append(Record(f"{folder.name}/{path.name}", targets[folder.name], size=read_size(path)))
    return found


def _read_numbered(path: Path) -> dict[int, str]:
    """Number -> name, in the order of the file."""
    pairs: dict[int, str] = {}
    for line, (word, name) in read_rows(path, "number,name", separator=None):
        (number,) = integers(path, line, (word,))
        if number in pairs:
            raise fault(path, line, f"number {number} is there twice")
        pairs[number] = name
    if not pairs:
        raise UserError(f"{path} is empty")
    return pairs


def _read_column(path: Path, fields: str, ids: dict[int, str], *, allowed: Collection[int]) -> dict[int, int]:
    """Image number -> the whole number after it, one for each image."""
    column: dict[int, int] = {}
    for line, words in read_rows(path, fields, separator=None):
        number, value = integers(path, line, words)
        _check_number(path, line, number, ids, column)
        if value not in allowed:
            raise fault(path, line, f"{value} is not among {min(allowed)} to {max(allowed)}")
        column[number] = value
    _check_complete(path, ids, column)
    return column


def _read_boxes(path: Path, ids: dict[int, str]) -> dict[int, tuple[float, ...]]:
    """Image number -> x, y, width, height, one for each image."""
    boxes: dict[int, tuple[float, ...]] = {}
    for line, (word, *words) in read_rows(path, "image,x,y,width,height", separator=None):
        (number,) = integers(path, line, (word,))
        _check_number(path, line, number, ids, boxes)
        try:
            box = tuple(map(float, words))
        except ValueError as error:
            raise fault(path, line, f"expected numbers but found {' '.join(words)!r}") from error
        if not all(map(math.isfinite, box)) or min(box) < 0:
            raise fault(path, line, f"{' '.join(words)} is not x, y, width and height of a box")
        boxes[number] = box
    _check_complete(path, ids, boxes)
    return boxes


def _check_number(path: Path, line: int, number: int, ids: dict[int, str], seen: dict) -> None:
    if number not in ids:
        raise fault(path, line, f"image {number} is not in images.txt")
    if number in seen:
        raise fault(path, line, f"image {number} is there twice")


def _check_complete(path: Path, ids: dict[int, str], seen: dict) -> None:
    missing = next((number for number in ids if number not in seen), None)
    if missing is not None:
        raise UserError(f"{path} has no line for image {missing} ({ids[missing]})")
