"""A table as lines of text, which every format shares."""

from calm.tables.build import NOT_RUN, RUN, Cell, Row, Table

NOTHING = "–"


def number(value: float | None, digits: int) -> str:
    """A number with so many decimals; a dash for none."""
    return NOTHING if value is None else f"{value:.{digits}f}"


def ours(row: Row, cell: Cell, digits: int) -> str:
    """Mean and, where they are known, standard deviation and interval; or why there is none."""
    if row.status != RUN:
        return NOT_RUN if row.status == NOT_RUN and cell.applies else NOTHING
    spread = "" if cell.std is None else f" ± {cell.std:.{digits}f}"
    ends = cell.interval and f" [{', '.join(number(end, digits) for end in cell.interval)}]"
    part = f" ({len(cell.values)} of {cell.runs} runs)" if cell.is_partial else ""
    return number(cell.mean, digits) + spread + (ends or "") + part


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
            line.append(ours(row, cell, table.digits[metric]))
            if table.is_published(metric):
                line.append(number(cell.published, table.digits[metric]))
        line.append(", ".join(NOTHING if seed is None else str(seed) for seed in row.seeds))
        lines.append(line)
    return headings, lines
