"""What the evaluation of interventions prints, records and draws."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from calm.data_loaders.cues.pairs import PARTS
from calm.distributed import print0
from calm.evaluation.intervention.agreement import COMPLETENESS, LARGEST, RANK
from calm.evaluation.intervention.measure import QUESTIONS, Judged
from calm.evaluation.uninformed import titles
from calm.pictures.figures import save_figure

TITLES = {RANK: "rank correlation", LARGEST: "largest part, %", COMPLETENESS: "completeness"}
ASKED = {"removed": "part removed", "rival": "rival's look"}


def print_table(metrics: Mapping[str, Mapping[str, float]], size: int) -> None:
    """A line per map, those without knowledge among them; ``size`` is the side of the maps in pixels."""
    lines = {titles(size).get(name, name): values for name, values in metrics.items()}
    width = max(map(len, lines)) + 4
    print0("\nbirds with a known cause: how well maps agree with the true effects of parts; higher is better")
    keys = [(question, name) for question in QUESTIONS for name in TITLES]
    print0(" " * width + "".join(f"{ASKED[question]:>18}" for question, _ in keys))
    print0(" " * width + "".join(f"{TITLES[name]:>18}" for _, name in keys))
    for label, values in lines.items():
        print0(f"{label:<{width}}" + "".join(f"{values[f'{question}_{name}']:>18.3f}" for question, name in keys))


def details_of(judged: Judged, image_ids: list[str]) -> dict[str, Any]:
    """Per image: its rival (from 1), the true effects, and what each map gives the parts; null where none shows."""

    def table(values: np.ndarray) -> list[list[float | None]]:
        return [[None if np.isnan(value) else float(f"{value:.5g}") for value in row] for row in values]

    return {
        "parts": list(PARTS),
        "image_ids": [image_ids[index] for index in judged.index],
        "rivals": (judged.rivals + 1).tolist(),
        "truth": {
            question: {"parts": table(own.parts), "together": table(own.together[:, None])}
            for question, own in judged.truth.items()
        },
        "given": {
            name: {question: table(values) for question, values in own.items()} for name, own in judged.given.items()
        },
    }


def draw(
    path: Path, metrics: Mapping[str, Mapping[str, float]], intervals: Mapping[str, Mapping[str, Any]], title: str
) -> None:
    """Bars with 95 % intervals: a row per question, a panel per metric, a bar per map."""
    names = list(metrics)
    figure = Figure(figsize=(10, 1.2 + 0.36 * len(names) * len(QUESTIONS)))
    axes = figure.subplots(len(QUESTIONS), len(TITLES), squeeze=False, sharey=True)
    for row, question in zip(axes, QUESTIONS, strict=True):
        for axis, (name, text) in zip(row, TITLES.items(), strict=True):
            key = f"{question}_{name}"
            values = np.array([metrics[label][key] for label in names], dtype=float)
            ends = np.array([intervals[label][key] or (np.nan, np.nan) for label in names], dtype=float).T
            errors = np.abs(np.nan_to_num(ends - values))
            axis.barh(names, np.nan_to_num(values), xerr=errors, color="tab:blue", height=0.6, error_kw={"lw": 0.8})
            axis.axvline(0, color="black", lw=0.6)
            axis.set_title(f"{ASKED[question]}: {text}", fontsize=8)
            axis.tick_params(labelsize=7)
            axis.spines[["top", "right"]].set_visible(False)
    axes[0, 0].invert_yaxis()
    figure.suptitle(title, fontsize=9)
    figure.tight_layout()
    save_figure(figure, path)
