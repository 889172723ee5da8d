"""A user's own photographs: a folder for each class, with train/, val/ and test/ above them or without.

docs/own_data.md describes it for users.
"""

import hashlib
import os
from pathlib import Path

from calm.data_loaders.catalogue.record import DataSet, MaskFiles, Say
from calm.data_loaders.record import Record
from calm.data_loaders.scan import files_of, holds_images, is_visible
from calm.errors import UserError

NAME = "folder"
BOXES = "boxes.csv"
MASKS = "masks"
SPLIT_FOLDERS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}
"""What a folder above the class folders is called, in lower case -> the split."""


def folders_with_images(folder: Path) -> list[Path]:
    """Visible folders with an image at any depth, sorted by name.

    ``masks`` is one of them only if images lie directly in it: object masks lie in folders of their own below it.
    """
    found = sorted(path for path in folder.iterdir() if is_visible(path.name) and path.is_dir())
    return [path for path in found if (files_of(path) if path.name == MASKS else holds_images(path))]


def class_places(root: Path) -> dict[str, list[Path]]:
    """Split -> its class folders, each sorted by name; the split is "" where the folders name none.

    Raises:
        UserError: there is no class, or it is not clear which folders are classes and which are splits.
    """
    if not root.is_dir():
        raise UserError(f"`data_root`={root} is not a folder")
    folders = folders_with_images(root)
    if not folders:
        raise UserError(
            f"{root} has no folder with images: put the photographs of each class into a folder of its own, "
            f"such as {root / 'cat' / '1.jpg'}"
        )
    splits: dict[str, list[Path]] = {}
    named: dict[str, Path] = {}
    others = []
    for folder in folders:
        split = SPLIT_FOLDERS.get(folder.name.lower(), "")
        classes = folders_with_images(folder) if split and not files_of(folder) else []
        if split is None or not classes:
            others.append(folder)
        elif split in splits:
            raise UserError(f"{named[split]} and {folder} both name the split {split}: keep one of them")
        else:
            splits[split], named[split] = classes, folder
    if not splits:
        return {"": folders}
    if others:
        raise UserError(
            f"{others[0]} has images beside the splits {', '.join(path.name + '/' for path in named.values())}: "
            "move it into one of them, or out of the folder"
        )
    if "train" not in splits:
        raise UserError(f"{root} has {next(iter(named.values())).name}/ but no train/ beside it")
    return splits


def class_names(root: Path) -> list[str]:
    """Names of the class folders of all splits, sorted."""
    return sorted({folder.name for folders in class_places(root).values() for folder in folders})


def lists_of(data_root: Path) -> str:
    """The metadata's folder: each folder of photographs has one of its own, by its name and where it is."""
    place = os.path.realpath(data_root)
    digest = hashlib.blake2s(os.fsencode(place)).hexdigest()[:8]
    name = os.path.basename(place).encode("utf-8", "replace").decode()[:60]
    return f"{NAME}/{name or 'root'}-{digest}"


def mask_file(root: Path, image_id: str) -> Path | None:
    """``masks/<path>.png``, that is ``masks/cat/1.jpg.png``, or ``masks/cat/1.png``; None where there is neither."""
    whole, stem = root / MASKS / f"{image_id}.png", (root / MASKS / image_id).with_suffix(".png")
    return next((path for path in (whole, stem) if path.is_file()), None)


def _masks(record: Record, data_root: Path, mask_root: Path) -> MaskFiles:
    found = mask_file(data_root, record.image_id)
    if found is None:
        raise UserError(f"{data_root / MASKS / record.image_id}.png does not exist: localisation needs it")
    return (found,), None


def _truths(root: Path) -> tuple[bool, bool]:
    masks = (root / MASKS).is_dir() and not files_of(root / MASKS) and holds_images(root / MASKS)
    return (root / BOXES).is_file(), masks


def _ensure(data_root: str | Path, metadata_root: str | Path, say: Say) -> None:
    from calm.data_loaders.prepare.folder import ensure  # splits with scikit-learn, which the catalogue does without

    ensure(data_root, metadata_root, say)


OWN_FOLDER = DataSet(
    name=NAME,
    folder=".",
    read_class_names=class_names,
    masks=_masks,
    ensure=_ensure,
    lists=lists_of,
    truths=_truths,
)
