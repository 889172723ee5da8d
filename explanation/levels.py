"""From one class to all of them: the sets over which Figure 6 adds up maps (paper, Section 5.4)."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from calm.data_loaders.catalogue import DataSet
from calm.data_loaders.supersets import ancestors_of
from calm.errors import UserError


class Level(NamedTuple):
    """A set of classes and what it is called."""

    name: str
    classes: tuple[int, ...]


def levels_of(data_set: DataSet, data_root: str | Path, target: int, names: Sequence[str]) -> list[Level]:
    """The class alone, sets that hold it, each at least twice as large as the one before, and all classes.

    The sets are the class's family where classes have any, its WordNet ancestors, and its superset, which is kept in
    any case.

    Args:
        data_set: knows them.
        data_root: where its files lie.
        target: the class.
        names: of all classes.
    """
    count = len(names)
    superset = _superset(data_set, data_root, target, count)
    between = [Level("family", tuple(data_set.families(count)[target]))] if data_set.families else []
    wnids = data_set.wnids(data_root) if data_set.read_wnids else []
    if len(wnids) == count:
        between += [Level(name, tuple(classes)) for name, classes in ancestors_of(target, wnids)]
    between += [Level("superset", superset)]
    smallest_first = sorted(dict.fromkeys(between), key=lambda level: len(level.classes))
    kept = [Level(names[target], (target,))]
    for level in smallest_first:
        size = len(level.classes)
        if level.classes == kept[-1].classes or size == count:
            continue
        if level.classes == superset or 2 * len(kept[-1].classes) <= size <= count / 2:
            kept.append(level)
    return [*kept, Level("all classes", tuple(range(count)))] if count > 1 else kept


def _superset(data_set: DataSet, data_root: str | Path, target: int, count: int) -> tuple[int, ...]:
    try:
        return tuple(data_set.supersets(count, data_root)[target])
    except UserError:  # its files are away: the class alone
        return (target,)
