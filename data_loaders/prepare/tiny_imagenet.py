"""TinyImageNet -> records."""

from collections.abc import Callable
from pathlib import Path

from calm.data_loaders.catalogue.tiny_imagenet import FOLDER, read_wnids
from calm.data_loaders.images import read_size
from calm.data_loaders.record import Box, Record
from calm.data_loaders.text_lines import fault, integers, read_rows
from calm.errors import UserError

VAL_FROM = 450
"""Training files of a class from this number on (450 to 499) are our val split; the official val split is our test."""


def records(data_root: Path, say: Callable[[str], None]) -> dict[str, list[Record]]:
    """Train, val and test with their boxes; a label is the class's line in wnids.txt, from 0."""
    root = data_root / FOLDER
    wnids = read_wnids(root)
    training = [record for target, wnid in enumerate(wnids) for record in _training_records(root, wnid, target)]
    splits: dict[str, list[Record]] = {"train": [], "val": []}
    for number, record in training:
        splits["val" if number >= VAL_FROM else "train"].append(record)
    splits["test"] = _test_records(root, {wnid: target for target, wnid in enumerate(wnids)})
    for split in [split for split, found in splits.items() if not found]:
        say(f"{split}: no images in {root}")
        del splits[split]
    return splits


def _training_records(root: Path, wnid: str, target: int) -> list[tuple[int, Record]]:
    """Number in the file name and record of each training image of one class."""
    path = root / "train" / wnid / f"{wnid}_boxes.txt"
    found = []
    for line, (name, *words) in read_rows(path, "file,x0,y0,x1,y1", separator=None):
        number = name.removeprefix(f"{wnid}_").removesuffix(".JPEG")
        if not number.isdecimal():
            raise fault(path, line, f"expected {wnid}_<number>.JPEG but found {name!r}")
        found.append((int(number), _record(root, f"train/{wnid}/images/{name}", target, words, path, line)))
    return found


def _test_records(root: Path, targets: dict[str, int]) -> list[Record]:
    path = root / "val" / "val_annotations.txt"
    found = []
    for line, (name, wnid, *words) in read_rows(path, "file,wnid,x0,y0,x1,y1", separator=None):
        if wnid not in targets:
            raise fault(path, line, f"class {wnid} is not in wnids.txt")
        found.append(_record(root, f"val/images/{name}", targets[wnid], words, path, line))
    if not found:
        raise UserError(f"{path} lists no image")
    return found


def _record(root: Path, image_id: str, target: int, words: list[str], path: Path, line: int) -> Record:
    x0, y0, x1, y1 = integers(path, line, words)
    box: Box = (x0, y0, x1, y1)
    return Record(image_id, target, size=read_size(root / image_id, listed=f"{path}, line {line}"), boxes=(box,))
