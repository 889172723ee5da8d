"""A table as JSON, CSV, Markdown, LaTeX and PNG."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from calm.atomic import write_text
from calm.pictures.figures import save_figure
from calm.tables.build import Table
from calm.tables.drawing import draw_curves, draw_table
from calm.tables.grid import NOTHING, grid


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


def as_json(table: Table) -> str:
    """Everything, cell by cell."""
    rows = [
        {
            "dataset": row.dataset,
            "row": row.name,
            "settings": row.settings,
            "status": row.status,
            "seeds": row.seeds,
            "commands": row.commands,
            "cells": {
                metric: {
                    "mean": cell.mean,
                    "std": cell.std,
                    "interval": cell.interval,
                    "interval_over": cell.interval_over,
                    "values": cell.values,
                    "published": cell.published,
                }
                for metric, cell in row.cells.items()
            },
        }
        for row in table.rows
    ]
    content: dict[str, Any] = {"title": table.title, "source": table.source, "note": table.note, "rows": rows}
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def as_csv(table: Table) -> str:
    """A line per cell, with the command lines that give it."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    columns = ["table", "dataset", "row", "settings", "metric", "status", "mean", "std", "low", "high", "interval_over"]
    writer.writerow([*columns, "num_seeds", "published", "commands"])
    for row in table.rows:
        for metric, cell in row.cells.items():
            writer.writerow(
                [
                    table.key,
                    row.dataset,
                    row.name,
                    row.settings,
                    metric,
                    row.status,
                    cell.mean,
                    cell.std,
                    *(cell.interval or (None, None)),
                    cell.interval_over,
                    len(cell.values),
                    cell.published,
                    " ; ".join(row.commands),
                ]
            )
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
    """A booktabs tabular, as wide as the text; the commands stand in comments."""
    headings, lines = grid(table)
    columns = "l" * (headings.index(next(iter(table.metrics.values()))))
    out = [r"% needs \usepackage{booktabs,graphicx}"]
    out += [f"% {row.dataset}, {row.name}: {command}" for row in table.rows for command in row.commands]
    out += [r"\begin{table*}", r"\centering", r"\resizebox{\textwidth}{!}{%"]
    out += [rf"\begin{{tabular}}{{{columns.ljust(len(headings), 'r')}}}", r"\toprule"]
    out += [" & ".join(map(_escape, headings)) + r" \\", r"\midrule"]
    out += [" & ".join(map(_escape, line)) + r" \\" for line in lines]
    out += [r"\bottomrule", r"\end{tabular}}", rf"\caption{{{_escape(f'{table.title}. {table.note}'.strip())}}}"]
    return "\n".join([*out, rf"\label{{tab:{table.key.replace('_', '-')}}}", r"\end{table*}"]) + "\n"


_LATEX = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "_": r"\_",
        "%": r"\%",
        "&": r"\&",
        "#": r"\#",
        "$": r"\$",
        "{": r"\{",
        "}": r"\}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "±": r"$\pm$",
        NOTHING: "--",
    }
)


def _escape(text: str) -> str:
    """Plain text as LaTeX."""
    return text.translate(_LATEX)


TEXTS: dict[str, Callable[[Table], str]] = {
    ".json": as_json,
    ".csv": as_csv,
    ".md": as_markdown,
    ".tex": as_latex,
}
"""Suffix -> the table as text."""
