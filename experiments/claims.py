"""Each claim of the paper, and what the kept numbers say of it on each data set."""

import statistics
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from calm.experiments.differences import ERASED, IN_WORDS
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


class Claim(NamedTuple):
    """A row of the page."""

    name: str
    published: str
    measure: str
    cells: tuple[Cell, Cell, Cell]
    """Real birds, SynthBirds, TinyImageNet."""


def _not(reason: str) -> Cell:
    return lambda evidence, tables: f"not testable here: {reason}"


def _and(*cells: Cell) -> Cell:
    """The findings of several cells; the first one's reason where it has none."""

    def cell(evidence: Evidence, tables: Tables) -> list[Finding] | str:
        first, *others = (own(evidence, tables) for own in cells)
        if isinstance(first, str):
            return first
        return [*first, *(finding for found in others if not isinstance(found, str) for finding in found)]

    return cell


def _differences(
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


def _tabulated(
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


def _em_minus_ml(table: str, dataset: str, metrics: tuple[str, ...]) -> Cell:
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


def _with_supersets(dataset: str) -> Cell:
    """CALM's maps summed over supersets, minus CAM's own and minus CAM's summed as well."""
    return _and(
        _tabulated("table3", dataset, "CAM", WSOL, suffix=" + Y"),
        _tabulated("table3", dataset, "CAM + Y", WSOL, suffix=" + Y", note=LESS_Y),
    )


CLAIMS = (
    Claim(
        "Cue localisation: CALM finds the parts that tell two classes apart better than CAM",
        "+4.7 (34.3 against 29.6)",
        "mPxAP, points, by the text's score; SynthBirds by the released score",
        (
            _and(
                _differences("text, grid"),
                _differences("text, offset_0", networks=COMPARED_TWICE, note=AT_OFFSET_0),
            ),
            _tabulated("table1", "SynthBirds", "CAM", ("mPxAP",)),
            _not("no parts"),
        ),
    ),
    Claim(
        "Remove-and-classify: erasing what CALM marks hurts more than erasing what CAM marks",
        "lower R_k (Figure 5)",
        f"mean of {IN_WORDS}; lower supports the claim",
        (
            _differences(IN_WORDS, better=-1, digits=2),
            _tabulated("figure5", "SynthBirds", "CAM", ERASED, better=-1, digits=2),
            _tabulated("figure5", "TinyImageNet", "CAM", ERASED, better=-1, digits=2),
        ),
    ),
    Claim(
        "WSOL with supersets: CALM's map summed over a superset beats CAM",
        "+4.3 on CUB (65.4 EM + Y against 61.1)",
        "MaxBoxAccV2, points, CALM + Y minus CAM; minus CAM + Y where it says so (+2.0 in the paper)",
        (
            _not("the photographs are cut to their boxes"),
            _with_supersets("SynthBirds"),
            _with_supersets("TinyImageNet"),
        ),
    ),
    Claim(
        "WSOL without supersets: CALM_EM alone is below CAM on birds",
        "−8.6 on CUB (52.5 against 61.1)",
        "MaxBoxAccV2, points; lower supports the claim",
        (
            _not("the photographs are cut to their boxes"),
            _tabulated("table3", "SynthBirds", "CAM", WSOL, better=-1),
            _tabulated("table3", "TinyImageNet", "CAM", WSOL, better=-1),
        ),
    ),
    Claim(
        "Accuracy cost: CALM stays within a point of CAM (our bound; the paper's text names a cost)",
        "+1.2 EM, −11.0 ML on CUB; −4.1 EM on ImageNet",
        "accuracy, points; above −1 supports the claim",
        (
            _differences("accuracy", tolerance=1.0),
            _tabulated("table2", "SynthBirds", "CAM (baseline)", ("accuracy",), tolerance=1.0),
            _tabulated("table2", "TinyImageNet", "CAM (baseline)", ("accuracy",), tolerance=1.0),
        ),
    ),
    Claim(
        "EM against ML: EM's maps find the cue better than ML's",
        "+7.0 (34.3 against 27.3)",
        "mPxAP, points; SynthBirds by the released score",
        (
            _differences(
                "text, grid",
                NETWORKS[ML],
                networks={CURRENT: NETWORKS[SOFTPLUS], BEHIND: NETWORKS[LAGGING]},
                otherwise="not run; with theta' = theta the two have the same gradient (a test holds the identity)",
            ),
            _em_minus_ml("table1", "SynthBirds", ("mPxAP",)),
            _not("no parts"),
        ),
    ),
    Claim(
        "Sparsity: CALM is close to zero where nothing tells the class",
        "in words (Section 5.2)",
        "share of the score map on the object's box, points",
        (
            _not("the photographs are cut to their boxes"),
            _tabulated("cam_family", "SynthBirds", "CAM", ("proportion",), suffix=", joint"),
            _tabulated("cam_family", "TinyImageNet", "CAM", ("proportion",), suffix=", joint"),
        ),
    ),
)
