"""Supersets: which classes share one set of parts, so that their attributions may be added up (paper, Section 5.4)."""

from collections import defaultdict
from collections.abc import Hashable, Sequence
from pathlib import Path

from calm.errors import UserError

TABLES = Path(__file__).resolve().parent.parent / "metadata"
ILSVRC_TABLE = "supersets_ILSVRC.txt"
WORDNET_TABLE = "supersets_WordNet.txt"


def supersets_of(
    dataset_name: str,
    num_classes: int | None = None,
    *,
    wnids: Sequence[str] | None = None,
    tables: str | Path = TABLES,
) -> dict[int, list[int]]:
    """Class -> the classes of its superset in ascending order, itself included; a partition of all classes.

    Args:
        dataset_name: CUB and SynthBirds: all classes, birds with the same parts. OpenImages: each class alone. ILSVRC
            (ImageNet) and TinyImageNet: by WordNet ancestor.
        num_classes: K; needed where no list of classes is given.
        wnids: TinyImageNet's WordNet ids in class order; ILSVRC's are known.
        tables: folder of the expanded tables.
    """
    if dataset_name in ("CUB", "SynthBirds"):
        return _group(["bird"] * _needed(num_classes, dataset_name))
    if dataset_name == "OpenImages":
        return _group(list(range(_needed(num_classes, dataset_name))))
    if dataset_name in ("ILSVRC", "ImageNet"):
        groups = list(read_table(Path(tables) / ILSVRC_TABLE).values())
    elif dataset_name == "TinyImageNet":
        if wnids is None:
            raise UserError("the supersets of TinyImageNet need its classes: give the lines of wnids.txt")
        table = read_table(Path(tables) / WORDNET_TABLE)
        groups = [table.get(wnid, wnid) for wnid in wnids]
    else:
        raise UserError(
            f"no supersets for the data set {dataset_name!r}: choose CUB, SynthBirds, OpenImages, ILSVRC "
            "or TinyImageNet"
        )
    if num_classes not in (None, len(groups)):
        raise UserError(f"{dataset_name} has supersets for {len(groups)} classes, the network has {num_classes}")
    return _group(groups)


def read_table(path: Path) -> dict[str, str]:
    """An expanded table, a line ``wnid,superset`` per class -> {wnid: superset}, in the file's order."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError as error:
        raise UserError(f"{path} is missing: run python -m attribution.expand_supersets") from error
    table = {}
    for number, line in enumerate(lines, start=1):
        wnid, comma, superset = line.partition(",")
        if not (wnid and comma and superset):
            raise UserError(f"{path}, line {number}: expected wnid,superset but found {line!r}")
        table[wnid] = superset
    return table


def _group(names: Sequence[Hashable]) -> dict[int, list[int]]:
    """Name of the superset per class -> class -> classes of the same name."""
    members = defaultdict(list)
    for index, name in enumerate(names):
        members[name].append(index)
    return {index: list(members[name]) for index, name in enumerate(names)}


def _needed(num_classes: int | None, dataset_name: str) -> int:
    if num_classes is None:
        raise UserError(f"the supersets of {dataset_name} need the number of classes")
    return num_classes
