"""A table, or its curves, as a picture."""

import textwrap

from matplotlib.figure import Figure

from calm.tables.build import NOT_RUN, RUN, Row, Table
from calm.tables.grid import NOTHING, grid

_SHIFT = 0.7
"""Between the marks of neighbouring curves, in percent of the pixels, so that their bars do not cover each other."""


def draw_table(table: Table) -> Figure:
    """The grid as a picture, its note beneath; what was not run is grey."""
    headings, lines = grid(table)
    widths = [max(len(line[column]) for line in (headings, *lines)) + 2 for column in range(len(headings))]
    inches = 0.085 * sum(widths)
    note = textwrap.wrap(table.note, int(inches / 0.066))
    above, beneath, height = 0.35, 0.08 + 0.15 * len(note), 0.22 * (len(lines) + 1)
    total = above + height + beneath
    figure = Figure(figsize=(inches, total))
    figure.text(0.5, 1 - above / 2 / total, table.title, ha="center", va="center", fontsize=10)
    figure.text(0.005, 0, "\n".join(note), va="bottom", fontsize=7.5, color="0.3", linespacing=1.3)
    axis = figure.add_axes((0, beneath / total, 1, height / total))
    axis.set_axis_off()
    shares = [width / sum(widths) for width in widths]
    drawn = axis.table(
        lines,
        colLabels=headings,
        colWidths=shares,
        cellLoc="right",
        colLoc="right",
        edges="horizontal",
        bbox=(0, 0, 1, 1),  # ty: ignore[invalid-argument-type]  # four numbers do as well, says the reference
    )
    drawn.auto_set_font_size(False)
    drawn.set_fontsize(8)
    first_number = headings.index(next(iter(table.metrics.values())))
    for (line, column), cell in drawn.get_celld().items():
        cell.set_edgecolor("0.85")
        text = cell.get_text()
        if line == 0:
            text.set_fontweight("bold")
        elif text.get_text() in (NOT_RUN, NOTHING):
            text.set_color("0.6")
        if column < first_number:
            text.set_horizontalalignment("left")
    return figure


def draw_curves(table: Table) -> Figure:
    """A panel per data set that was run, R_k over k, bars for the standard deviation (paper, Figure 5).

    A row's colour is the same in every panel; its further settings have other markers and lines. The scale is shared,
    and the dotted line is erasing at random.
    """
    run = [row for row in table.rows if row.status == RUN]
    datasets = list(dict.fromkeys(row.dataset for row in run)) or ["not run"]
    colours = {name: f"C{number}" for number, name in enumerate(dict.fromkeys(row.name for row in run))}
    longest = max(sum(row.dataset == dataset for row in run) for dataset in datasets)
    figure = Figure(figsize=(4.6 * len(datasets), 3.6 + 0.2 * longest), layout="constrained")
    axes = figure.subplots(1, len(datasets), squeeze=False, sharey=True)[0]
    shares = [int(metric.removeprefix("R_")) for metric in table.metrics]
    for axis, dataset in zip(axes, datasets):
        drawn = [row for row in run if row.dataset == dataset]
        for place, row in enumerate(drawn):
            variant = sum(other.name == row.name for other in drawn[:place])
            shift = _SHIFT * (place - (len(drawn) - 1) / 2)
            _draw_curve(axis, row, [share + shift for share in shares], colours[row.name], variant)
        axis.axhline(1, color="0.6", linestyle=":", linewidth=1)
        axis.set(title=dataset, xlabel="k, % of the pixels erased", xticks=shares, xlim=(0, 100))
        axis.spines[["top", "right"]].set_visible(False)
        if drawn:
            axis.legend(frameon=False, fontsize=7, loc="upper left", bbox_to_anchor=(0, -0.24))
    axes[0].set_ylim(bottom=0)  # after the last panel: a limit that is set no longer grows with the data
    axes[0].set_ylabel("Rₖ, lower is better")
    return figure


def _draw_curve(axis, row: Row, places: list[float], colour: str, variant: int) -> None:
    """One row: means, bars, and in the legend its name, its settings and how many seeds it has."""
    means = [float("nan") if cell.mean is None else cell.mean for cell in row.cells.values()]
    spreads = [cell.std or 0 for cell in row.cells.values()]
    seeds = "1 seed" if len(row.seeds) == 1 else f"{len(row.seeds)} seeds"
    label = f"{row.name}{f', {row.settings}' if row.settings else ''} ({seeds})"
    marker, line = "osD^v"[variant % 5], ("-", "--", "-.", ":")[variant % 4]
    axis.errorbar(
        places,
        means,
        spreads,
        color=colour,
        marker=marker,
        linestyle=line,
        markersize=4,
        capsize=2,
        label=textwrap.fill(label, 64),
    )
