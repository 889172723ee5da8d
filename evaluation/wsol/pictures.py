"""Pictures of WSOL: some maps with the box they give and the true one, and the precision-recall curve of the masks."""

from collections.abc import Sequence
from pathlib import Path
from textwrap import fill
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from calm.pictures.figures import save_figure
from calm.pictures.overlay import overlay
from calm.wsol_eval.pixel_ap import Curve

FOUND, TRUE = "tab:red", "tab:green"
COLUMNS = 4


class Sample(NamedTuple):
    """One image of the picture; ``name`` is its class."""

    name: str
    rgb: np.ndarray | None
    """[H,W,3] uint8, where the image is at hand."""
    score_map: np.ndarray
    """[H,W] in [0,1]."""
    boxes: np.ndarray | None
    """True boxes [n,4], where there are some."""
    found: np.ndarray | None
    """The map's box [4]."""
    mask: np.ndarray | None
    """[H,W], 1 object, 0 background, 255 ignored, where there is one."""


def save_samples(path: str | Path, samples: Sequence[Sample], *, title: str) -> None:
    """Draw the samples, each image over its map, with the truth in green and the map's box in red."""
    columns = min(COLUMNS, len(samples))
    rows = -(-len(samples) // columns)
    figure = Figure(figsize=(2.2 * columns, 4.5 * rows + 0.5))
    axes = figure.subplots(2 * rows, columns, squeeze=False)
    for axis in axes.flat:
        axis.set_axis_off()
    for position, sample in enumerate(samples):
        row, column = divmod(position, columns)
        image, heat = axes[2 * row, column], axes[2 * row + 1, column]
        rgb = np.full((*sample.score_map.shape, 3), 128, np.uint8) if sample.rgb is None else sample.rgb
        image.imshow(rgb)
        image.set_title(fill(sample.name, 34), fontsize=7)
        heat.imshow(overlay(rgb, sample.score_map))
        for axis in (image, heat):
            _draw_truth(axis, sample)
        if sample.found is not None:
            _draw_boxes(heat, sample.found[None], FOUND)
    legend = "green: truth" if samples[0].found is None else "green: truth, red: box of the largest contour"
    figure.tight_layout(pad=0.4)
    figure.suptitle(f"{title}\n{legend}", y=1.0, verticalalignment="bottom", fontsize=10)
    save_figure(figure, path)


def _draw_truth(axis: Axes, sample: Sample) -> None:
    if sample.boxes is not None:
        _draw_boxes(axis, sample.boxes, TRUE)
    if sample.mask is not None and (sample.mask == 1).any() and (sample.mask != 1).any():
        axis.contour(sample.mask == 1, levels=[0.5], colors=[TRUE], linewidths=1)


def _draw_boxes(axis: Axes, boxes: np.ndarray, colour: str) -> None:
    """Outline boxes [n,4] in one stroke, since an image may have many; pixel centres are whole numbers."""
    x0, y0, x1, y1 = np.unique(boxes, axis=0).T + np.array([[-0.5], [-0.5], [0.5], [0.5]])
    corners = np.stack([x0, y0, x1, y0, x1, y1, x0, y1, x0, y0], axis=1).reshape(-1, 5, 2)
    axis.add_collection(LineCollection([*corners], colors=colour, linewidths=1.5, capstyle="projecting"), autolim=False)


def save_precision_recall(path: str | Path, curve: Curve, *, title: str) -> None:
    """Draw precision over recall, both in percent, as the steps that PxAP adds up."""
    figure = Figure(figsize=(4.5, 4))
    axis = figure.subplots()
    recall, precision = np.insert(curve.recall, 0, 0.0), np.insert(curve.precision, 0, curve.precision[0])
    axis.fill_between(100 * recall, 100 * precision, step="pre", color="tab:red", alpha=0.15, linewidth=0)
    axis.step(100 * recall, 100 * precision, where="pre", color="tab:red")
    axis.set(xlabel="recall, % of the object's pixels", ylabel="precision, %", xlim=(0, 100), ylim=(0, 100))
    axis.set_title(f"{title}\nPxAP {100 * curve.average_precision:.2f} %", fontsize=9)
    axis.spines[["top", "right"]].set_visible(False)
    save_figure(figure, path)
