"""From the results of many runs to tables: which runs stand in which row, their mean and spread over seeds.

A row is a published one (metadata/published.yaml) for one data set and one set of settings; runs that differ in
nothing but the seed share it.
"""

import statistics
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from calm.attribution.catalogue import title_of
from calm.evaluation.intervals import Interval
from calm.tables.commands import recipe_commands
from calm.tables.groups import FEWEST_SEEDS, Group, common_settings, grouped, means_over, name_of
from calm.tables.run_results import Result
from calm.tables.settings import in_words

RUN, NOT_RUN, PUBLISHED_ONLY = "run", "not run", "published only"


@dataclass(frozen=True)
class Cell:
    """One number: ours over the seeds, and the published one."""

    values: tuple[float, ...] = ()
    published: float | None = None
    applies: bool = True
    """False where the data set does not have this metric."""
    interval: Interval | None = None
    """95 %, where it is known."""
    runs: int = 0
    """Of the row; some may not have the number."""

    @property
    def is_partial(self) -> bool:
        """Whether some runs of the row have the number and others have not."""
        return 0 < len(self.values) < self.runs

    @property
    def mean(self) -> float | None:
        """Mean over the seeds; None where nothing was run."""
        return statistics.fmean(self.values) if self.values else None

    @property
    def std(self) -> float | None:
        """Standard deviation over the seeds (n - 1); None below two seeds."""
        return statistics.stdev(self.values) if len(self.values) > 1 else None

    @property
    def interval_over(self) -> str | None:
        """What the interval says the number depends on: seeds or, of a single run, images."""
        return None if self.interval is None else "images" if self.std is None else "seeds"


@dataclass(frozen=True)
class Row:
    """One line of a table."""

    dataset: str
    name: str
    settings: str
    """Those that not all rows of the data set share and that are not the default, "ReLU prior, epochs=6"."""
    status: str
    """RUN, NOT_RUN or PUBLISHED_ONLY."""
    seeds: tuple[int | None, ...]
    stale_seeds: tuple[int | None, ...]
    """Those whose checkpoint was trained on since it was measured."""
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
    digits: Mapping[str, int]
    """Decimals of each metric."""
    rows: tuple[Row, ...]
    note: str = ""

    def is_published(self, metric: str) -> bool:
        """Whether any row has a published number in this column."""
        return any(row.cells[metric].published is not None for row in self.rows)


def build_table(key: str, published: Mapping[str, Any], results: Sequence[Result]) -> Table:
    """One table of ``published`` (an entry of metadata/published.yaml) filled from ``results``.

    The paper's data sets come first, then those of the runs. A published row that no run fills is "not run"; a run
    that fits no published row gets one of its own, after those of its method.
    """
    results = [result for result in results if result.evaluation == published["evaluation"]]
    specs = _by_method(published["rows"] + _unpublished(published["rows"], results))
    groups = grouped(specs, results)
    if "mean_over" in published:
        groups += means_over(published["mean_over"], groups)
    printed = (dataset for row in published["rows"] for dataset in row.get("published", {}))
    paper = list(dict.fromkeys([*published.get("datasets", []), *printed]))
    ours = sorted({result.dataset for result in results} - set(paper))
    rows: list[Row] = []
    notes = [published["note"]] if "note" in published else []
    for dataset in paper + ours:
        here = [group for group in groups if group.dataset == dataset]
        common = common_settings(here)
        for spec in specs:
            rows += _rows_of(spec, dataset, here, common, published)
        if words := in_words(common):
            notes.append(f"All {dataset} rows: {words}.")
    notes += _notes_on(rows)
    digits = published["digits"]
    if not isinstance(digits, Mapping):
        digits = dict.fromkeys(published["metrics"], digits)
    return Table(
        key, published["title"], published["source"], published["metrics"], digits, tuple(rows), " ".join(notes)
    )


def _notes_on(rows: Sequence[Row]) -> Iterator[str]:
    """What a reader has to know of the cells of these rows."""
    cells = [cell for row in rows for cell in row.cells.values()]
    if any(cell.std is not None for cell in cells):
        yield "± is the standard deviation over the seeds (n - 1)."
    if any(cell.interval for cell in cells):
        yield (
            "[ ] is the 95 % interval: of one seed images drawn again, "
            f"of {FEWEST_SEEDS} or more Student's t over them."
        )
    if any(cell.is_partial for cell in cells):
        yield "(n of m runs) is over the n runs of the row that have the number."
    for row in rows:
        if row.stale_seeds:
            seeds = ", ".join("not known" if seed is None else str(seed) for seed in row.stale_seeds)
            name = ", ".join(filter(None, (row.dataset, row.name, row.settings)))
            yield f"Measured before the checkpoint was trained on, evaluate again: {name}, seed {seeds}."


def with_runs(table: Table) -> Table:
    """The table with those of its rows alone that were run."""
    return replace(table, rows=tuple(row for row in table.rows if row.status == RUN))


def _by_method(specs: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The rows of one method one after the other, methods in the order in which they first appear."""
    methods = list(dict.fromkeys(spec.get("method") for spec in specs))
    return sorted(specs, key=lambda spec: methods.index(spec.get("method")))


def _rows_of(
    spec: Mapping[str, Any],
    dataset: str,
    groups: Sequence[Group],
    common: Collection[str],
    published: Mapping[str, Any],
) -> list[Row]:
    """The lines of one row on one data set, from its groups: one per set of settings, or one that says "not run"."""
    metrics = list(published["metrics"])
    in_paper = dataset in spec.get("published", {})
    numbers = dict(zip(metrics, spec["published"][dataset])) if in_paper else {}
    rows = []
    for group in [group for group in groups if group.name == spec["name"]]:
        cells = {
            metric: Cell(
                group.values(metric),
                numbers.get(metric),
                interval=group.interval(metric),
                runs=len(group.results),
            )
            for metric in metrics
        }
        commands = tuple(dict.fromkeys(command for result in group.in_order for command in result.commands))
        seeds = tuple(dict.fromkeys(result.seed for result in group.in_order))
        stale = tuple(dict.fromkeys(result.seed for result in group.in_order if result.stale))
        settings = in_words(group.settings, leave_out=common)
        rows.append(Row(dataset, spec["name"], settings, RUN, seeds, stale, cells, commands))
    if rows or "own" in spec:
        return sorted(rows, key=lambda row: row.settings)
    absent = published.get("absent", {}).get(dataset, [])
    empty = {metric: Cell(published=numbers.get(metric), applies=metric not in absent) for metric in metrics}
    if "method" not in spec:
        return [Row(dataset, spec["name"], "", PUBLISHED_ONLY, (), (), empty, ())] if in_paper else []
    commands = recipe_commands(
        dataset,
        spec["method"],
        published["evaluation"],
        spec.get("attribution"),
        published.get("mean_over", ()) if in_paper else (),
    )
    return [Row(dataset, spec["name"], "", NOT_RUN, (), (), empty, commands)]


def _unpublished(spec_rows: Sequence[Mapping[str, Any]], results: Sequence[Result]) -> list[dict[str, Any]]:
    """A row for each method and attribution that no published row describes."""
    others = dict.fromkeys((r.method, r.attribution) for r in results if name_of(spec_rows, r) is None)
    return [
        {"name": ", ".join([method, *([title_of(a)] if a else [])]), "method": method, "attribution": a, "own": True}
        for method, a in others
    ]
