"""Results that differ in nothing but the seed, and what the settings of several such groups have in common."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from calm.evaluation.intervals import Interval, interval_over_seeds
from calm.flags import names
from calm.tables.run_results import Result
from calm.tables.settings import key_of

FEWEST_SEEDS = 3
"""Of which an interval over seeds is stated."""


@dataclass
class Group:
    """Results that differ in nothing but the seed."""

    dataset: str
    name: str
    settings: Mapping[str, Any]
    results: list[Result] = field(default_factory=list)

    @property
    def in_order(self) -> list[Result]:
        """The results by seed; those of no known seed last."""
        return sorted(self.results, key=lambda result: (result.seed is None, result.seed or 0))

    def values(self, metric: str) -> tuple[float, ...]:
        """The metric per seed, where it is known."""
        found = (result.metrics.get(metric) for result in self.in_order)
        return tuple(value for value in found if value is not None)

    def interval(self, metric: str) -> Interval | None:
        """95 %: over seeds, three at least, or of a single run over its images, where it says that.

        Over two seeds Student's t is 12.7 standard errors wide, so that percents would end outside [0, 100].
        """
        values = self.values(metric)
        stated = [own.intervals.get(metric) for own in self.results if own.metrics.get(metric) is not None]
        if len(values) == 1:
            return stated[0]
        return interval_over_seeds(values) if len(values) >= FEWEST_SEEDS else None


def name_of(spec_rows: Sequence[Mapping[str, Any]], result: Result) -> str | None:
    for spec in spec_rows:
        if (spec.get("method"), spec.get("attribution")) == (result.method, result.attribution):
            return spec["name"]
    return None


def grouped(spec_rows: Sequence[Mapping[str, Any]], results: Sequence[Result]) -> list[Group]:
    """The groups of the results that a row describes, in the order of their first."""
    groups: dict[tuple, Group] = {}
    for result in results:
        name = name_of(spec_rows, result)
        if name is None:
            continue
        key = (result.dataset, name, key_of(result.settings))
        groups.setdefault(key, Group(result.dataset, name, result.settings)).results.append(result)
    return [replace(group, results=one_per_seed(name, group.results)) for (_, name, _), group in groups.items()]


def one_per_seed(row: str, results: Sequence[Result]) -> list[Result]:
    """Of several checkpoints of one seed, such as the last and the best of a run, the newest result, with a notice.

    They say nothing of other seeds. Results of no known seed all stay.
    """
    newest: dict[Any, Result] = {}
    for result in sorted(results, key=lambda result: result.written):
        key = result.checkpoint if result.seed is None else result.seed
        if key in newest:
            print(
                f"notice: {result.dataset}, {row}: of several checkpoints of one seed, {key}, the newest result counts"
            )
        newest[key] = result
    return list(newest.values())


def means_over(trunks: Sequence[str], groups: Sequence[Group]) -> list[Group]:
    """For every row that was run with each of ``trunks`` once: a further one, the mean over them per common seed."""
    families: dict[tuple, list[Group]] = {}
    for group in groups:
        rest = {key: value for key, value in group.settings.items() if key not in names(per_trunk=True)}
        families.setdefault((group.dataset, group.name, key_of(rest)), []).append(group)
    means = []
    for members in families.values():
        members = [group for group in members if group.settings.get("architecture") in trunks]
        if sorted(group.settings["architecture"] for group in members) != sorted(trunks):
            continue
        settings = common_settings(members) | {"architecture": "mean of " + ", ".join(trunks)}
        by_seed = [{result.seed: result for result in group.results} for group in members]
        results = [mean_of([each[seed] for each in by_seed], settings) for seed in set.intersection(*map(set, by_seed))]
        if results:
            means.append(Group(members[0].dataset, members[0].name, settings, results))
    return means


def common_settings(groups: Sequence[Group | Result]) -> dict[str, Any]:
    """The settings that all groups, or results, have, with the same value."""
    first, *others = [group.settings for group in groups] or [{}]
    missing = object()
    return {key: value for key, value in first.items() if all(o.get(key, missing) == value for o in others)}


def mean_of(results: Sequence[Result], settings: Mapping[str, Any]) -> Result:
    """The mean of every metric that all ``results`` have, under new settings."""
    columns = {name: [result.metrics.get(name) for result in results] for name in results[0].metrics}
    known = {name: [value for value in values if value is not None] for name, values in columns.items()}
    means = {name: statistics.fmean(values) for name, values in known.items() if len(values) == len(results)}
    commands = tuple(command for result in results for command in result.commands)
    return replace(
        results[0],
        settings=settings,
        metrics=means,
        intervals={},
        baselines={},
        commands=commands,
        checkpoint=None,
        source=None,
        stale=any(result.stale for result in results),
    )
