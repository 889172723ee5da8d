"""A table as JSON, CSV, Markdown, LaTeX and PNG."""

import csv
import io
import json
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from atomic import write_text
from pictures import save_figure
from tables.build import NOT_RUN, RUN, Cell, Row, Table

_NOTHING = "–"


def write_table(table: Table, folder: str | Path) -> list[Path]:
    """Write <folder>/<key>.json, .csv, .md, .tex and .png; the paths."""
    base = Path(folder) / table.key
    paths = []
    for suffix, text_of in TEXTS.items():
        paths.append(base.with_suffix(suffix))
        write_text(paths[-1], text_of(table))
    paths.append(base.with_suffix(".png"))
    save_figure(draw_curves(table) if table.key.startswith("figure") else draw_table(table), paths[-1], dpi=150)
    return paths


def number(value: float | None, digits: int) -> str:
    """A number with so many decimals; a dash for none."""
    return _NOTHING if value is None else f"{value:.{digits}f}"


def ours(row: Row, cell: Cell, digits: int) -> str:
    """Mean and, from two seeds on, standard deviation; or why there is none."""
    if row.status != RUN:
        return NOT_RUN if row.status == NOT_RUN and cell.applies else _NOTHING
    return number(cell.mean, digits) + ("" if cell.std is None else f" ± {cell.std:.{digits}f}")


def grid(table: Table) -> tuple[list[str], list[list[str]]]:
    """Headings and lines as text; columns that would be empty throughout are left out."""
    with_settings = any(row.settings for row in table.rows)
    headings = ["data set", "row", *(["settings"] if with_settings else [])]
    for metric, heading in table.metrics.items():
        headings += [heading, *([f"{heading}, paper"] if table.is_published(metric) else [])]
    headings.append("seeds")
    lines = []
    for row in table.rows:
        line = [row.dataset, row.name, *([row.settings] if with_settings else [])]
        for metric, cell in row.cells.items():
            line.append(ours(row, cell, table.digits))
            if table.is_published(metric):
                line.append(number(cell.published, table.digits))
        line.append(", ".join(_NOTHING if seed is None else str(seed) for seed in row.seeds))
        lines.append(line)
    return headings, lines


def as_json(table: Table) -> str:
    """Everything, cell by cell."""
    rows = [
        {
            "dataset": row.dataset, "row": row.name, "settings": row.settings, "status": row.status,
            "seeds": row.seeds, "commands": row.commands,
            "cells": {
                metric: {"mean": cell.mean, "std": cell.std, "values": cell.values, "published": cell.published}
                for metric, cell in row.cells.items()
            },
        }
        for row in table.rows
    ]  # fmt: skip
    content: dict[str, Any] = {"title": table.title, "source": table.source, "note": table.note, "rows": rows}
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def as_csv(table: Table) -> str:
    """A line per cell, with the command lines that give it."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        ["table", "dataset", "row", "settings", "metric", "status", "mean", "std", "num_seeds", "published", "commands"]
    )
    for row in table.rows:
        for metric, cell in row.cells.items():
            writer.writerow([
                table.key, row.dataset, row.name, row.settings, metric, row.status, cell.mean, cell.std,
                len(cell.values), cell.published, " ; ".join(row.commands),
            ])  # fmt: skip
    return text.getvalue()


def as_markdown(table: Table) -> str:
    """The table, then the commands of each row."""
    headings, lines = grid(table)
    out = [f"## {table.title}", "", f"Source of the published numbers: {table.source}. {table.note}".rstrip(), ""]
    out += ["| " + " | ".join(line) + " |" for line in (headings, ["---"] * len(headings), *lines)]
    out += ["", "Commands, row by row (training, then evaluation):", ""]
    for row in table.rows:
        if row.commands:
            name = ", ".join(filter(None, (row.dataset, row.name, row.settings)))
            out += [f"- {name} ({row.status})", "", "  ```", *(f"  {command}" for command in row.commands), "  ```", ""]
    return "\n".join(out).rstrip() + "\n"


def as_latex(table: Table) -> str:
    """A booktabs tabular; the commands stand in comments."""
    def escape(text: str) -> str:
        for plain, escaped in (("_", r"\_"), ("%", r"\%"), ("±", r"$\pm$"), (_NOTHING, "--"), ("^", r"\^{}")):
            text = text.replace(plain, escaped)
        return text

    headings, lines = grid(table)
    columns = "l" * (headings.index(next(iter(table.metrics.values()))))
    out = [r"% needs \usepackage{booktabs}"]
    out += [f"% {row.dataset}, {row.name}: {command}" for row in table.rows for command in row.commands]
    out += [r"\begin{table}", r"\centering", rf"\begin{{tabular}}{{{columns.ljust(len(headings), 'r')}}}", r"\toprule"]
    out += [" & ".join(map(escape, headings)) + r" \\", r"\midrule"]
    out += [" & ".join(map(escape, line)) + r" \\" for line in lines]
    out += [r"\bottomrule", r"\end{tabular}", rf"\caption{{{escape(f'{table.title}. {table.note}'.strip())}}}"]
    return "\n".join([*out, r"\end{table}"]) + "\n"


def draw_table(table: Table) -> Figure:
    """The grid as a picture; what was not run is grey."""
    headings, lines = grid(table)
    widths = [max(len(line[column]) for line in (headings, *lines)) + 2 for column in range(len(headings))]
    figure = Figure(figsize=(0.085 * sum(widths), 0.22 * (len(lines) + 1)))
    axis = figure.add_axes((0, 0, 1, 1))
    axis.set_axis_off()
    axis.set_title(table.title, fontsize=10)
    shares = [width / sum(widths) for width in widths]
    drawn = axis.table(
        lines, colLabels=headings, colWidths=shares, cellLoc="right", edges="horizontal", bbox=(0, 0, 1, 1)
    )
    drawn.auto_set_font_size(False)
    drawn.set_fontsize(8)
    first_number = headings.index(next(iter(table.metrics.values())))
    for (line, column), cell in drawn.get_celld().items():
        cell.set_edgecolor("0.85")
        text = cell.get_text()
        if line == 0:
            text.set_weight("bold")
        elif text.get_text() in (NOT_RUN, _NOTHING):
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
    names = list(dict.fromkeys(row.name for row in table.rows))
    longest = max(sum(row.dataset == dataset for row in run) for dataset in datasets)
    figure = Figure(figsize=(4.6 * len(datasets), 3.6 + 0.27 * longest), layout="constrained")
    axes = figure.subplots(1, len(datasets), squeeze=False, sharey=True)[0]
    shares = [int(metric.removeprefix("R_")) for metric in table.metrics]
    for axis, dataset in zip(axes, datasets):
        drawn = [row for row in run if row.dataset == dataset]
        for place, row in enumerate(drawn):
            means = [float("nan") if cell.mean is None else cell.mean for cell in row.cells.values()]
            spreads = [cell.std or 0 for cell in row.cells.values()]
            variant = sum(other.name == row.name for other in drawn[:place])
            style = {"color": f"C{names.index(row.name)}", "marker": "osD^v"[variant % 5],
                     "linestyle": ("-", "--", "-.", ":")[variant % 4]}  # fmt: skip
            label = row.name + (f": {row.settings}" if row.settings else "")
            axis.errorbar(shares, means, spreads, markersize=4, capsize=2, label=textwrap.fill(label, 64), **style)
        axis.axhline(1, color="0.6", linestyle=":", linewidth=1)
        axis.set(title=dataset, xlabel="k, % of the pixels erased", xticks=shares, xlim=(0, 100))
        axis.spines[["top", "right"]].set_visible(False)
        if drawn:
            axis.legend(frameon=False, fontsize=7, loc="upper left", bbox_to_anchor=(0, -0.24))
    axes[0].set_ylim(bottom=0)  # after the last panel: a limit that is set no longer grows with the data
    axes[0].set_ylabel("R$_k$, lower is better")
    return figure


TEXTS: dict[str, Callable[[Table], str]] = {
    ".json": as_json,
    ".csv": as_csv,
    ".md": as_markdown,
    ".tex": as_latex,
}
"""Suffix -> the table as text."""
