"""What a folder of a user's own photographs holds: images by class and split, and their boxes. No image is opened."""

from collections import Counter
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from calm.data_loaders.catalogue.folder import MASKS, class_places, mask_file
from calm.data_loaders.metadata import can_be_listed
from calm.data_loaders.record import Box
from calm.data_loaders.scan import IMAGE_SUFFIXES, files_below, has_suffix
from calm.data_loaders.score_maps import shared_stems
from calm.data_loaders.text_lines import fault, integers, read_rows
from calm.errors import UserError


class Place(NamedTuple):
    """Where an image belongs: its class, and its split by the folders, "" where they name none."""

    class_name: str
    split: str


class Photographs(NamedTuple):
    """What a folder holds."""

    images: dict[str, Place]
    """Path relative to the folder -> its place; sorted by class, then path."""
    splits: tuple[str, ...]
    """Those that the folders name."""
    others: Counter[str]
    """Suffix -> number of files in class folders that are no images by it."""


def scan(root: Path) -> Photographs:
    """Every image in the class folders, at any depth."""
    places, images, others = class_places(root), {}, Counter()
    for split, folders in places.items():
        for folder in folders:
            for path in sorted(files_below(folder)):
                if not has_suffix(path.name, IMAGE_SUFFIXES):
                    others[path.suffix.lower() or path.name] += 1
                    continue
                name = path.relative_to(root).as_posix()
                if not can_be_listed(name):
                    raise UserError(
                        f"{root}: the name {name!r} has a comma, a line break, a space at an end or bytes that are "
                        "not UTF-8, which the lists of images cannot hold: rename it"
                    )
                if path.is_file():
                    images[name] = Place(folder.name, split)
    classes = {place.class_name for place in images.values()}
    if len(classes) < 2:
        raise UserError(f"{root} has one class, {classes.pop()}: a classifier needs a folder for each of several")
    return Photographs(images, tuple(split for split in places if split), others)


def check_masks(root: Path, images: Collection[str]) -> None:
    """Refuse a mask ``masks/cat/1.png`` that could be that of cat/1.jpg and of cat/1.png."""
    shared = shared_stems(images)
    for image in images:
        stem = Path(image).with_suffix("").as_posix()
        if stem in shared and (mask := mask_file(root, image)) == root / MASKS / f"{stem}.png":
            raise UserError(f"{mask} could be the mask of several images: name that of {image} {Path(image).name}.png")


def read_boxes(path: Path, images: Collection[str]) -> dict[str, list[Box]]:
    """Image -> its boxes, from lines ``path,x0,y0,x1,y1``, with or without a line of these words; none without a file.

    Lines of images that are not in the folder do not count, as long as one does.
    """
    boxes: dict[str, list[Box]] = {}
    if not path.is_file():
        return boxes
    fields = "path,x0,y0,x1,y1"
    for number, (image, *words) in read_rows(path, fields):
        if number == 1 and not any(word.strip()[:1] in "+-.0123456789" for word in words):
            continue
        x0, y0, x1, y1 = integers(path, number, words)
        if not 0 <= x0 <= x1 or not 0 <= y0 <= y1:
            raise fault(path, number, f"{x0},{y0},{x1},{y1} is not x0,y0,x1,y1 of a box, in whole pixels from 0")
        boxes.setdefault(image.strip().removeprefix("./"), []).append((x0, y0, x1, y1))
    if boxes and not any(image in images for image in boxes):
        raise UserError(
            f"{path} has no box for any image in {path.parent}: its paths are relative to that folder, such as "
            f"{next(iter(images))}"
        )
    return boxes
