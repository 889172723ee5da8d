"""From the results of many runs to tables: which runs stand in which row, their mean and spread over seeds.

A row is a published one (metadata/published.yaml) for one data set and one set of settings; runs that differ in
nothing but the seed share it.
"""

import itertools
import statistics
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tables.run_results import Result, recipe_commands

RUN, NOT_RUN, PUBLISHED_ONLY = "run", "not run", "published only"


@dataclass(frozen=True)
class Cell:
    """One number: ours over the seeds, and the published one."""

    values: tuple[float, ...] = ()
    published: float | None = None
    applies: bool = True
    """False where the data set does not have this metric."""

    @property
    def mean(self) -> float | None:
        """Mean over the seeds; None where nothing was run."""
        return statistics.fmean(self.values) if self.values else None

    @property
    def std(self) -> float | None:
        """Standard deviation over the seeds (n - 1); None below two seeds."""
        return statistics.stdev(self.values) if len(self.values) > 1 else None


@dataclass(frozen=True)
class Row:
    """One line of a table."""

    dataset: str
    name: str
    settings: str
    """The settings in which this row differs from others of the table, "key=value, ..."."""
    status: str
    """RUN, NOT_RUN or PUBLISHED_ONLY."""
    seeds: tuple[int | None, ...]
    cells: Mapping[str, Cell]
    commands: tuple[str, ...]
    """What anybody can type to get these cells, per seed: training, then evaluation."""


@dataclass(frozen=True)
class Table:
    """A table or figure of the paper, with ours beside it."""

    key: str
    title: str
    source: str
    metrics: Mapping[str, str]
    """Name in a results file -> heading."""
    digits: int
    rows: tuple[Row, ...]
    note: str = ""

    def is_published(self, metric: str) -> bool:
        """Whether any row has a published number in this column."""
        return any(row.cells[metric].published is not None for row in self.rows)


@dataclass
class _Group:
    """Results that differ in nothing but the seed."""

    dataset: str
    name: str
    settings: dict[str, Any]
    results: list[Result] = field(default_factory=list)

    def cells(self, metrics: Iterable[str], published: Mapping[str, float | None]) -> dict[str, Cell]:
        def values(metric: str) -> tuple[float, ...]:
            found = (result.metrics.get(metric) for result in self.results)
            return tuple(value for value in found if value is not None)

        return {metric: Cell(values(metric), published.get(metric)) for metric in metrics}


def build_table(key: str, published: Mapping[str, Any], results: Sequence[Result]) -> Table:
    """One table of ``published`` (an entry of metadata/published.yaml) filled from ``results``.

    The paper's data sets come first, then those of the runs. A published row that no run fills is "not run"; a run
    that fits no published row gets one of its own.
    """
    results = [result for result in results if result.evaluation == published["evaluation"]]
    spec_rows = published["rows"]
    own_rows = _unpublished(spec_rows, results)
    groups = _group(spec_rows + own_rows, results)
    if "mean_over" in published:
        groups += _means_over(published["mean_over"], groups)
    printed = (dataset for row in spec_rows for dataset in row.get("published", {}))
    paper = list(dict.fromkeys([*published.get("datasets", []), *printed]))
    ours = sorted({result.dataset for result in results} - set(paper))
    rows: list[Row] = []
    for dataset in paper + ours:
        shown = _varying([group for group in groups if group.dataset == dataset])
        for spec in spec_rows + own_rows:
            rows += _rows_of(spec, dataset, groups, shown, published)
    return Table(
        key, published["title"], published["source"], published["metrics"], published["digits"], tuple(rows),
        published.get("note", ""),
    )  # fmt: skip


def _rows_of(
    spec: Mapping[str, Any], dataset: str, groups: Sequence[_Group], shown: Collection[str],
    published: Mapping[str, Any],
) -> list[Row]:  # fmt: skip
    """The lines of one published row on one data set: one per set of settings, or one that says it was not run."""
    metrics = list(published["metrics"])
    in_paper = dataset in spec.get("published", {})
    numbers = dict(zip(metrics, spec["published"][dataset])) if in_paper else {}
    found = [group for group in groups if (group.dataset, group.name) == (dataset, spec["name"])]
    rows = []
    for group in found:
        settings = ", ".join(f"{key}={group.settings[key]}" for key in sorted(shown) if key in group.settings)
        ordered = sorted(group.results, key=lambda result: (result.seed is None, result.seed or 0))
        group = _Group(group.dataset, group.name, group.settings, ordered)
        commands = tuple(dict.fromkeys(command for result in ordered for command in result.commands))
        seeds = tuple(dict.fromkeys(result.seed for result in ordered))
        rows.append(Row(dataset, spec["name"], settings, RUN, seeds, group.cells(metrics, numbers), commands))
    if rows or "own" in spec:
        return rows
    absent = published.get("absent", {}).get(dataset, [])
    empty = {metric: Cell(published=numbers.get(metric), applies=metric not in absent) for metric in metrics}
    if "method" not in spec:
        return [Row(dataset, spec["name"], "", PUBLISHED_ONLY, (), empty, ())] if in_paper else []
    commands = recipe_commands(dataset, spec["method"], published["evaluation"], spec.get("attribution"))
    return [Row(dataset, spec["name"], "", NOT_RUN, (), empty, commands)]


def _name_of(spec_rows: Sequence[Mapping[str, Any]], result: Result) -> str | None:
    for spec in spec_rows:
        if (spec.get("method"), spec.get("attribution")) == (result.method, result.attribution):
            return spec["name"]
    return None


def _unpublished(spec_rows: Sequence[Mapping[str, Any]], results: Sequence[Result]) -> list[dict[str, Any]]:
    """A row for each method and attribution that no published row describes."""
    others = dict.fromkeys((r.method, r.attribution) for r in results if _name_of(spec_rows, r) is None)
    return [{"name": f"{method}, {a}", "method": method, "attribution": a, "own": True} for method, a in others]


def _group(spec_rows: Sequence[Mapping[str, Any]], results: Sequence[Result]) -> list[_Group]:
    groups: dict[tuple, _Group] = {}
    for result in results:
        name = _name_of(spec_rows, result)
        key = (result.dataset, name, repr(sorted(result.settings.items())))
        groups.setdefault(key, _Group(result.dataset, name, result.settings)).results.append(result)
    return list(groups.values())


def _varying(groups: Sequence[_Group]) -> set[str]:
    """The settings that differ between rows of one data set: what a reader needs to compare them.

    Between rows of different names only those that both have: a setting of the one method says nothing of the other.
    """
    varying = set()
    for first, second in itertools.combinations(groups, 2):
        one, other = set(first.settings), set(second.settings)
        keys = one | other if first.name == second.name else one & other
        varying |= {key for key in keys if first.settings.get(key) != second.settings.get(key)}
    return varying


def _means_over(trunks: Sequence[str], groups: Sequence[_Group]) -> list[_Group]:
    """For every row that was run with all ``trunks``: a further one, the mean over them for each common seed."""
    families: dict[tuple, dict[str, _Group]] = {}
    for group in groups:
        rest = {key: value for key, value in group.settings.items() if key != "architecture"}
        key = (group.dataset, group.name, repr(sorted(rest.items())))
        families.setdefault(key, {})[group.settings.get("architecture")] = group
    means = []
    for members in families.values():
        if not set(trunks) <= set(members):
            continue
        chosen = [members[trunk] for trunk in trunks]
        settings = chosen[0].settings | {"architecture": "mean of " + ", ".join(trunks)}
        by_seed = [{result.seed: result for result in group.results} for group in chosen]
        seeds = set.intersection(*map(set, by_seed))
        results = [Result.mean_of([each[seed] for each in by_seed], settings) for seed in seeds]
        if results:
            means.append(_Group(chosen[0].dataset, chosen[0].name, settings, results))
    return means
