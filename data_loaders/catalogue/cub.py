"""CUB-200-2011, and CUBV2 for validation."""

from collections.abc import Callable
from pathlib import Path

from calm.data_loaders.catalogue.record import DataSet
from calm.data_loaders.classes import folders_of_classes, numbered_names
from calm.data_loaders.record import Record
from calm.data_loaders.supersets import together

NUM_CLASSES = 200


def _class_names(root: Path) -> list[str]:
    path = root / "classes.txt"
    return numbered_names(path) if path.is_file() else folders_of_classes(root, ("images", "."), NUM_CLASSES)


def _prepare(data_root: Path, say: Callable[[str], None]) -> dict[str, list[Record]]:
    from calm.data_loaders.prepare.cub import records  # reads images, which the catalogue does without

    return records(data_root, say)


CUB = DataSet(
    name="CUB",
    folder="CUB",
    image_roots={"train": ("CUB/images", "CUB"), "val": ("CUBV2", "CUB"), "test": ("CUB/images", "CUB")},
    read_class_names=_class_names,
    num_classes=NUM_CLASSES,
    has_parts=True,
    supersets=together,
    prepare=_prepare,
)
