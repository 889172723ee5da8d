"""Supersets: which classes share one set of parts, so that their attributions may be added up (paper, Section 5.4)."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from calm.data_loaders.text_lines import fault
from calm.errors import UserError

TABLES = Path(__file__).resolve().parent.parent / "metadata"
ILSVRC_TABLE = "supersets_ILSVRC.txt"
WORDNET_TABLE = "supersets_WordNet.txt"
ANCESTRY_TABLE = "ancestors_WordNet.txt"

Supersets = dict[int, list[int]]
"""Class -> the classes of its superset in ascending order, itself included: a partition of all classes."""


def alone(num_classes: int, data_root: str | Path) -> Supersets:
    """Each class by itself."""
    return {target: [target] for target in range(num_classes)}


def together(num_classes: int, data_root: str | Path) -> Supersets:
    """All classes in one superset, such as birds, which have the same parts."""
    return by_name(["all"] * num_classes, num_classes)


def by_name(names: Sequence[str], num_classes: int) -> Supersets:
    """Classes whose supersets (one name a class) have the same name."""
    if len(names) != num_classes:
        raise UserError(f"the data set has supersets for {len(names)} classes, the network has {num_classes}")
    members = defaultdict(list)
    for target, name in enumerate(names):
        members[name].append(target)
    return {target: list(members[name]) for target, name in enumerate(names)}


def imagenet_wnids() -> list[str]:
    """WordNet ids of ImageNet's 1000 classes, in the order in which published weights have them."""
    return list(read_table(TABLES / ILSVRC_TABLE))


def read_table(path: Path) -> dict[str, str]:
    """An expanded table, a line ``wnid,superset`` per class -> {wnid: superset}, in the file's order."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError as error:
        raise UserError(f"{path} is missing: run python -m data_loaders.prepare.wordnet") from error
    table = {}
    for number, line in enumerate(lines, start=1):
        wnid, comma, superset = line.partition(",")
        if not (wnid and comma and superset):
            raise fault(path, number, f"expected wnid,superset but found {line!r}")
        table[wnid] = superset
    return table


def read_ancestry() -> dict[str, tuple[str, str]]:
    """wnid of ILSVRC's classes and of all nouns above them -> (wnid of the next one above, "" for the last; name)."""
    lines = (TABLES / ANCESTRY_TABLE).read_text(encoding="utf-8").splitlines()
    return {wnid: (parent, name) for wnid, parent, name in (line.split(",", 2) for line in lines)}


def ancestors_of(target: int, wnids: Sequence[str]) -> list[tuple[str, list[int]]]:
    """Name and classes of every WordNet ancestor of a class, the nearest first; nothing where it is not in the table.

    Args:
        target: the class.
        wnids: WordNet id of every class.
    """
    ancestry = read_ancestry()

    def above(wnid: str) -> Iterator[str]:
        while wnid := ancestry.get(wnid, ("", ""))[0]:
            yield wnid

    lines = [set(above(wnid)) for wnid in wnids]
    return [
        (ancestry[ancestor][1], [index for index, line in enumerate(lines) if ancestor in line])
        for ancestor in above(wnids[target])
    ]
