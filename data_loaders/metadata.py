"""Metadata text files <-> frozen records. The formats are the WSOL benchmark's; metadata/README.md describes them."""

from collections.abc import Container, Iterable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from calm.atomic import write_text
from calm.data_loaders.columns import positions, read_columns, whole_numbers
from calm.data_loaders.record import Box, Record, Size
from calm.data_loaders.record_columns import RecordColumns
from calm.data_loaders.text_lines import LARGEST, fault, integers, read_lines, read_rows
from calm.errors import UserError

IMAGE_IDS, PROXY_IDS = "image_ids.txt", "image_ids_proxy.txt"
LABELS, SIZES, LOCALIZATION = "class_labels.txt", "image_sizes.txt", "localization.txt"


def split_folder(metadata_root: str | Path, dataset_name: str, split: str) -> Path:
    """Folder of the text files of one split."""
    return Path(metadata_root) / dataset_name / split


def read_records(
    metadata_root: str | Path,
    dataset_name: str,
    split: str,
    *,
    localization: Literal["boxes", "masks"] = "boxes",
    num_classes: int | None = None,
    proxy: bool = False,
    made_by: str | None = None,
) -> Sequence[Record]:
    """Read the records of one split, in the order of its image list: the record at index i is on line i + 1.

    Args:
        metadata_root: folder that holds ``<dataset_name>/<split>/``.
        dataset_name: of the data set.
        split: train, val or test.
        localization: what localization.txt lists.
        num_classes: labels must lie below it; None leaves them unchecked.
        proxy: take the images of image_ids_proxy.txt, a subset of the split.
        made_by: the command that makes missing files, for the error.

    Raises:
        UserError: a file is missing, a line is malformed, or an image is in one file but not in another. Sizes and
            locations may be absent, for all images or for some.
    """
    folder = split_folder(metadata_root, dataset_name, split)
    ids_path = folder / (PROXY_IDS if proxy else IMAGE_IDS)
    _require((ids_path, folder / LABELS, folder / SIZES, folder / LOCALIZATION), made_by)
    if localization == "boxes" and (columns := _read_columns(folder, ids_path, num_classes)) is not None:
        return columns
    ids = _read_image_ids(ids_path)
    known = None if proxy else set(ids)
    labels = _read_labels(folder / LABELS, known, num_classes)
    sizes = _read_sizes(folder / SIZES, known)
    boxes: dict[str, tuple[Box, ...]] = {}
    masks: dict[str, tuple[str, ...]] = {}
    ignore: dict[str, str] = {}
    if localization == "masks":
        masks, ignore = _read_masks(folder / LOCALIZATION, known)
    else:
        boxes = _read_boxes(folder / LOCALIZATION, known, sizes)
    for number, image_id in enumerate(ids, start=1):
        if image_id not in labels:
            raise fault(ids_path, number, f"{image_id} has no line in {LABELS}")
    return [Record(i, labels[i], sizes.get(i), boxes.get(i, ()), masks.get(i, ()), ignore.get(i)) for i in ids]


def _read_columns(folder: Path, ids_path: Path, num_classes: int | None) -> RecordColumns | None:
    """The records of a split with boxes, its files read as columns; None if anything about them is unusual.

    The reading line by line then says what is wrong, or accepts it.
    """
    ids = read_columns(ids_path, 1)
    if ids is None or not len(ids[0].starts):
        return None
    hashes = ids[0].hashes()
    order = np.argsort(hashes)
    hashes = hashes[order]
    if (hashes[1:] == hashes[:-1]).any():  # listed twice, most likely
        return None
    count = len(order)

    def numbers_of(path: Path, fields: int) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
        """Image of each line, how many lines each image has, and the numbers [lines, fields - 1]."""
        columns = read_columns(path, fields)
        if columns is None:
            return None
        images = positions(columns.pop(0), ids[0], hashes, order)
        if images is None:
            return None
        numbers = []
        for _ in range(fields - 1):  # one at a time: they are large
            column = whole_numbers(columns.pop(0))
            if column is None:
                return None
            numbers.append(column)
        return images, np.bincount(images, minlength=count).astype(np.int32), np.column_stack(numbers)

    of_labels, of_sizes, of_boxes = (
        numbers_of(folder / name, fields) for name, fields in ((LABELS, 2), (SIZES, 3), (LOCALIZATION, 5))
    )
    if of_labels is None or of_sizes is None or of_boxes is None:
        return None
    (labelled, num_labels, labels), (sized, num_sizes, known_sizes) = of_labels, of_sizes
    boxed, num_boxes, boxes = of_boxes
    if (num_labels != 1).any() or (num_classes is not None and labels.max() >= num_classes):
        return None
    if (num_sizes > 1).any() or (known_sizes < 1).any():
        return None
    targets, sizes = np.zeros(count, np.int32), np.zeros((count, 2), np.int32)
    targets[labelled], sizes[sized] = labels[:, 0], known_sizes
    limits = np.where(sizes > 0, sizes, np.iinfo(np.int32).max)[boxed]
    if (boxes[:, 2:] < boxes[:, :2]).any() or (boxes[:, :2] >= limits).any():
        return None
    return RecordColumns(ids[0], targets, sizes, boxes[np.argsort(boxed, kind="stable")], num_boxes)


def write_records(metadata_root: str | Path, dataset_name: str, split: str, records: Iterable[Record]) -> Path:
    """Write the text files of one split, each whole or not at all, the image list last; return their folder."""
    records = list(records)
    folder = split_folder(metadata_root, dataset_name, split)
    _check_writable(folder, records)
    locations = []
    for record in records:
        locations += [f"{record.image_id},{x0},{y0},{x1},{y1}\n" for x0, y0, x1, y1 in record.boxes]
        ignore_column = [record.ignore_mask or "", *[""] * len(record.masks)]
        locations += [f"{record.image_id},{mask},{ignore}\n" for mask, ignore in zip(record.masks, ignore_column)]
    sizes = [f"{record.image_id},{record.size[0]},{record.size[1]}\n" for record in records if record.size]
    write_text(folder / LABELS, "".join(f"{record.image_id},{record.target}\n" for record in records))
    write_text(folder / SIZES, "".join(sizes))
    write_text(folder / LOCALIZATION, "".join(locations))
    write_text(folder / IMAGE_IDS, "".join(f"{record.image_id}\n" for record in records))
    return folder


def can_be_listed(name: str) -> bool:
    """Whether the reader would find this name again."""
    if not name or name != name.strip() or name.startswith("\ufeff"):
        return False
    return not any(char in ",\n\r" or "\ud800" <= char <= "\udfff" for char in name)


def _check_writable(folder: Path, records: Sequence[Record]) -> None:
    """Refuse what the reader would refuse, or read as something else."""
    seen = set()
    for record in records:
        for name in (record.image_id, *record.masks, *([record.ignore_mask] if record.ignore_mask else ())):
            if not can_be_listed(name):
                raise UserError(
                    f"{name!r} cannot be listed in {folder}: its name has a comma, a line break, a space at an end "
                    "or bytes that are not UTF-8"
                )
        wrong = _contradiction(record)
        if wrong is None and record.image_id in seen:
            wrong = "it is there twice"
        if wrong is not None:
            raise UserError(f"{record.image_id} cannot be listed in {folder}: {wrong}")
        seen.add(record.image_id)


def _contradiction(record: Record) -> str | None:
    """What cannot be true of an image."""
    size = record.size or (LARGEST, LARGEST)
    if not 0 <= record.target <= LARGEST or not all(1 <= side <= LARGEST for side in size):
        return f"class {record.target}, {size[0]} x {size[1]} pixels"
    for x0, y0, x1, y1 in record.boxes:
        if not (0 <= x0 <= x1 <= LARGEST and 0 <= y0 <= y1 <= LARGEST):
            return f"its box {x0},{y0},{x1},{y1} is inverted or beyond 32 bits; it should be x0,y0,x1,y1"
        if x0 >= size[0] or y0 >= size[1]:
            return f"its box {x0},{y0},{x1},{y1} is outside its {size[0]} x {size[1]} pixels"
    return "it has boxes and masks" if record.boxes and record.masks else None


def _require(paths: Iterable[Path], made_by: str | None) -> None:
    missing = next((path for path in paths if not path.is_file()), None)
    if missing is not None:
        advice = f" or run {made_by}" if made_by else ""
        raise UserError(f"{missing} does not exist: check `metadata_root`{advice}")


def _read_image_ids(path: Path) -> list[str]:
    ids: dict[str, None] = {}
    for number, image_id in enumerate(read_lines(path), start=1):
        if "," in image_id:
            raise fault(path, number, f"expected one path but found {image_id!r}")
        if image_id in ids:
            raise fault(path, number, f"{image_id} is listed twice")
        ids[image_id] = None
    if not ids:
        raise UserError(f"{path} lists no image: the split is empty")
    return list(ids)


def _read_labels(path: Path, known: Container[str] | None, num_classes: int | None) -> dict[str, int]:
    labels: dict[str, int] = {}
    for number, (image_id, word) in read_rows(path, "path,class", known=known):
        if image_id in labels:
            raise fault(path, number, f"{image_id} is listed twice")
        (label,) = integers(path, number, (word,))
        if label < 0 or (num_classes is not None and label >= num_classes):
            classes = "from 0 on" if num_classes is None else f"0 to {num_classes - 1} by the data set's own list"
            raise fault(path, number, f"label {label} is outside the classes, {classes}")
        labels[image_id] = label
    return labels


def _read_sizes(path: Path, known: Container[str] | None) -> dict[str, Size]:
    sizes: dict[str, Size] = {}
    for number, (image_id, *words) in read_rows(path, "path,width,height", known=known):
        if image_id in sizes:
            raise fault(path, number, f"{image_id} is listed twice")
        width, height = integers(path, number, words)
        if width < 1 or height < 1:
            raise fault(path, number, f"{width} x {height} is not the size of an image")
        sizes[image_id] = (width, height)
    return sizes


def _read_boxes(path: Path, known: Container[str] | None, sizes: dict[str, Size]) -> dict[str, tuple[Box, ...]]:
    boxes: dict[str, list[Box]] = {}
    for number, (image_id, *words) in read_rows(path, "path,x0,y0,x1,y1", known=known):
        x0, y0, x1, y1 = integers(path, number, words)
        if x1 < x0 or y1 < y0:
            raise fault(path, number, f"the box {x0},{y0},{x1},{y1} is inverted; it should be x0,y0,x1,y1")
        width, height = sizes.get(image_id, (x1 + 1, y1 + 1))
        if x0 < 0 or y0 < 0 or x0 >= width or y0 >= height:  # boxes drawn by people may end past the last pixel
            raise _outside(path, number, (x0, y0, x1, y1), (width, height))
        boxes.setdefault(image_id, []).append((x0, y0, x1, y1))
    return {image_id: tuple(found) for image_id, found in boxes.items()}


def outside(path: Path, image_id: str, box: Box, size: Size) -> UserError:
    """The error of a box that begins outside its image, for the first line of localization.txt that lists it."""
    listed = [image_id, *map(str, box)]
    lines = (number for number, row in read_rows(path, "path,x0,y0,x1,y1") if row == listed)
    return _outside(path, next(lines, 1), box, size)


def _outside(path: Path, number: int, box: Box, size: Size) -> UserError:
    words = f"the box {','.join(map(str, box))} is outside its image of {size[0]} x {size[1]} pixels"
    return fault(path, number, words)


def _read_masks(path: Path, known: Container[str] | None) -> tuple[dict[str, tuple[str, ...]], dict[str, str]]:
    masks: dict[str, list[str]] = {}
    ignore: dict[str, str] = {}
    for number, (image_id, mask, ignore_mask) in read_rows(path, "path,mask,ignore-mask", known=known):
        if not mask:
            raise fault(path, number, "names no mask")
        masks.setdefault(image_id, []).append(mask)
        if ignore_mask and ignore.setdefault(image_id, ignore_mask) != ignore_mask:
            raise fault(path, number, f"{image_id} has a second ignore mask, {ignore_mask}")
    return {image_id: tuple(found) for image_id, found in masks.items()}, ignore
