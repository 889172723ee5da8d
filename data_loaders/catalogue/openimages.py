"""OpenImages, as arranged for weakly supervised localisation: class folders, with the masks beside the images."""

from collections.abc import Callable
from pathlib import Path

from calm.data_loaders.catalogue.record import DataSet, MaskFiles
from calm.data_loaders.classes import folders_of_classes
from calm.data_loaders.record import SPLITS, Record

FOLDER = "OpenImages"
NUM_CLASSES = 100


def _masks(record: Record, data_root: Path, mask_root: Path) -> MaskFiles:
    """Those that localization.txt lists, relative to ``<mask_root>/OpenImages/``."""
    folder = mask_root / FOLDER
    return tuple(folder / name for name in record.masks), folder / record.ignore_mask if record.ignore_mask else None


def _prepare(data_root: Path, say: Callable[[str], None]) -> dict[str, list[Record]]:
    from calm.data_loaders.prepare.openimages import records  # reads images, which the catalogue does without

    return records(data_root, say)


OPENIMAGES = DataSet(
    name="OpenImages",
    folder=FOLDER,
    read_class_names=lambda root: folders_of_classes(root, SPLITS, NUM_CLASSES),
    num_classes=NUM_CLASSES,
    localization="masks",
    masks=_masks,
    prepare=_prepare,
)
