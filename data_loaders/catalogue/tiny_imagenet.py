"""TinyImageNet, with 200 classes or fewer."""

from collections.abc import Callable
from pathlib import Path

from calm.data_loaders.catalogue.record import DataSet
from calm.data_loaders.classes import wordnet_names
from calm.data_loaders.record import Record
from calm.data_loaders.supersets import TABLES, WORDNET_TABLE, Supersets, by_name, read_table
from calm.data_loaders.text_lines import fault, read_lines
from calm.errors import UserError

FOLDER = "tiny-imagenet-200"


def read_wnids(root: Path) -> list[str]:
    """WordNet ids in class order: the lines of wnids.txt, which are not sorted."""
    path = root / "wnids.txt"
    if not path.is_file():
        raise UserError(f"{path} does not exist: unpack tiny-imagenet-200.zip into `data_root`")
    wnids = read_lines(path)
    for number, wnid in enumerate(wnids, start=1):
        if wnid in wnids[: number - 1]:
            raise fault(path, number, f"{wnid} is listed twice")
    if not wnids:
        raise UserError(f"{path} lists no class")
    return wnids


def _class_names(root: Path) -> list[str]:
    words = wordnet_names(root / "words.txt") if (root / "words.txt").is_file() else {}
    return [words.get(wnid, wnid) for wnid in read_wnids(root)]


def _supersets(num_classes: int, data_root: str | Path) -> Supersets:
    table = read_table(TABLES / WORDNET_TABLE)
    return by_name([table.get(wnid, wnid) for wnid in read_wnids(Path(data_root) / FOLDER)], num_classes)


def _prepare(data_root: Path, say: Callable[[str], None]) -> dict[str, list[Record]]:
    from calm.data_loaders.prepare.tiny_imagenet import records  # reads images, which the catalogue does without

    return records(data_root, say)


TINY_IMAGENET = DataSet(
    name="TinyImageNet",
    folder=FOLDER,
    read_class_names=_class_names,
    read_wnids=read_wnids,
    num_classes=lambda root: len(read_wnids(root)),
    supersets=_supersets,
    prepare=_prepare,
)
