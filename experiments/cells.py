"""What the kept numbers say of a claim on one data set: findings, or why there are none."""

import statistics
from collections.abc import Callable, Mapping
from typing import Any

from calm.experiments.findings import BySeed, Finding, of_kept, over_seeds

Evidence = Mapping[str, Mapping[str, Any]]
Tables = Mapping[str, Mapping[str, Any]]
SOFTPLUS, RELU, LAGGING, ML = "CALM_EM", "ReLU prior", "lagging theta'", "CALM_ML"
CURRENT, BEHIND = "theta' = theta, whose gradient is ML's", "theta' lagging behind theta"
AT_OFFSET_0, LESS_Y = ", cells at offset 0", " minus CAM + Y"
MAIN_LABELS = (
    *(SOFTPLUS, RELU, CURRENT, BEHIND),
    *(f"{own}{note}" for own in (SOFTPLUS, RELU) for note in (AT_OFFSET_0, LESS_Y)),
)
ALL_LABELS = (*MAIN_LABELS, LAGGING, ML)
NETWORKS = {
    SOFTPLUS: "birds_CALM_EM",
    RELU: "birds_CALM_EM_relu",
    LAGGING: "birds_CALM_EM_ema",
    ML: "birds_CALM_ML",
}
"""What a cell calls a network -> its name in the plan."""
COMPARED_TWICE = {label: NETWORKS[label] for label in (SOFTPLUS, RELU)}
"""Those of the first screen whose cells are laid in two ways."""
SETTINGS = {
    SOFTPLUS: ("CALM_EM", ""),
    RELU: ("CALM_EM", "ReLU prior, detached sum"),
    LAGGING: ("CALM_EM", "lagging theta', em_momentum=0.99"),
    ML: ("CALM_ML", ""),
}
"""The same -> row and settings in the tables of SynthBirds and TinyImageNet."""


Cell = Callable[[Evidence, Tables], list[Finding] | str]


def not_testable(reason: str) -> Cell:
    return lambda evidence, tables: f"not testable here: {reason}"


def together(*cells: Cell) -> Cell:
    """The findings of several cells; the first one's reason where it has none."""

    def cell(evidence: Evidence, tables: Tables) -> list[Finding] | str:
        first, *others = (own(evidence, tables) for own in cells)
        if isinstance(first, str):
            return first
        return [*first, *(finding for found in others if not isinstance(found, str) for finding in found)]

    return cell


def kept_differences(
    title: str,
    base: str = "birds_CAM",
    *,
    networks: Mapping[str, str] = NETWORKS,
    better: int = 1,
    digits: int = 1,
    tolerance: float = 0.0,
    note: str = "",
    otherwise: str = "not run",
) -> Cell:
    """A cell from the paired differences to ``base`` that are kept under ``title``; ``otherwise`` where none is."""

    def cell(evidence: Evidence, tables: Tables) -> list[Finding] | str:
        kept = evidence.get("differences", {})
        keys = {label: f"{network} - {base}, {title}" for label, network in networks.items()}
        return [
            of_kept(f"{label}{note}", kept[key], better, digits, tolerance)
            for label, key in keys.items()
            if key in kept
        ] or otherwise

    return cell


def seeds_of(tables: Tables, table: str, dataset: str, row: str, settings: str, metrics: tuple[str, ...]) -> BySeed:
    """The mean of ``metrics`` in a row of a table; empty where it was not run, or not all seeds have them."""
    for found in tables[table]["rows"]:
        if (found["dataset"], found["row"], found["settings"], found["status"]) == (dataset, row, settings, "run"):
            values = [found["cells"][metric]["values"] for metric in metrics]
            if all(len(own) == len(found["seeds"]) for own in values):
                return dict(zip(found["seeds"], map(statistics.fmean, zip(*values))))
    return {}


def tabulated(
    table: str,
    dataset: str,
    base: str,
    metrics: tuple[str, ...],
    *,
    better: int = 1,
    suffix: str = "",
    digits: int = 1,
    tolerance: float = 0.0,
    note: str = "",
) -> Cell:
    """A cell from a table's runs: CALM's rows minus the row ``base``, seed by seed."""

    def cell(evidence: Evidence, tables: Tables) -> list[Finding] | str:
        cam = seeds_of(tables, table, dataset, base, "", metrics)
        found = []
        for label, (row, settings) in SETTINGS.items():
            own = seeds_of(tables, table, dataset, row + suffix, settings, metrics)
            if own.keys() & cam.keys():
                found.append(Finding(f"{label}{note}", *over_seeds(own, cam), better, digits, tolerance))
        return found or "not run"

    return cell


def em_minus_ml(table: str, dataset: str, metrics: tuple[str, ...]) -> Cell:
    def cell(evidence: Evidence, tables: Tables) -> list[Finding] | str:
        ml = seeds_of(tables, table, dataset, "CALM_ML", "", metrics)
        rows = {CURRENT: "", BEHIND: SETTINGS[LAGGING][1]}
        own = {
            label: seeds_of(tables, table, dataset, "CALM_EM", settings, metrics) for label, settings in rows.items()
        }
        return [
            Finding(label, *over_seeds(values, ml), 1) for label, values in own.items() if values.keys() & ml.keys()
        ] or "not run"

    return cell


WSOL = ("MaxBoxAccV2",)


def with_supersets(dataset: str) -> Cell:
    """CALM's maps summed over supersets, minus CAM's own and minus CAM's summed as well."""
    return together(
        tabulated("table3", dataset, "CAM", WSOL, suffix=" + Y"),
        tabulated("table3", dataset, "CAM + Y", WSOL, suffix=" + Y", note=LESS_Y),
    )
