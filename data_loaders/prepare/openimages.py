"""OpenImages, as arranged for weakly supervised localisation (class folders, masks beside images) -> records."""

from collections.abc import Callable
from pathlib import Path

from calm.data_loaders.images import read_size
from calm.data_loaders.record import SPLITS, Record
from calm.data_loaders.scan import class_folders, files_of
from calm.errors import UserError

PHOTOGRAPHS = (".jpg", ".jpeg")
"""PNG files are masks."""


def records(data_root: Path, say: Callable[[str], None]) -> dict[str, list[Record]]:
    """The images of ``<split>/<mid>/<id>.jpg`` with the masks ``<id>_m<mid>_<hash>.png`` and ``<id>_ignore.png``.

    A label is the rank of the mid among the sorted mids of all splits.
    """
    root = data_root / "OpenImages"
    folders = {split: class_folders(root / split, PHOTOGRAPHS) for split in SPLITS}
    mids = sorted({folder.name for found in folders.values() for folder in found})
    if not mids:
        raise UserError(f"{root} has no class folders in train/, val/ or test/: check `data_root`")
    if len(mids) != 100:
        say(f"{len(mids)} classes are there instead of 100: the labels count these, not all of OpenImages's")
    splits = {}
    for split, found in folders.items():
        listed = [record for folder in found for record in _class_records(folder, mids.index(folder.name))]
        if listed:
            splits[split] = listed
        else:
            say(f"{split}: no images in {root / split}")
    return splits


def _class_records(folder: Path, target: int) -> list[Record]:
    """Records of one class folder; masks of other classes' objects do not count."""
    relative = f"{folder.parent.name}/{folder.name}"
    masks: dict[str, list[str]] = {}
    ignore: dict[str, str] = {}
    for path in files_of(folder, (".png",)):
        stem, mask_of_class, _ = path.stem.rpartition(f"_m{folder.name}_")
        if mask_of_class:
            masks.setdefault(stem, []).append(f"{relative}/{path.name}")
        elif path.stem.endswith("_ignore"):
            ignore[path.stem.removesuffix("_ignore")] = f"{relative}/{path.name}"
    return [
        Record(
            f"{relative}/{path.name}",
            target,
            size=read_size(path),
            masks=tuple(masks.get(path.stem, ())),
            ignore_mask=ignore.get(path.stem) if path.stem in masks else None,
        )
        for path in files_of(folder, PHOTOGRAPHS)
    ]
