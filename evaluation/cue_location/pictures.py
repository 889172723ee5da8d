"""Pictures of cue localisation: precision over recall, and maps of two classes beside the true cue (Figure 4)."""

from collections.abc import Callable, Sequence
from pathlib import Path
from textwrap import fill

import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from calm.attribution.score_map import resize
from calm.data_loaders.cues.part_maps import CueImages
from calm.evaluation.cue_location.collect import Collected
from calm.evaluation.cue_location.measure import RECALLS, PairResult
from calm.pictures.figures import colour_map, save_figure
from calm.pictures.overlay import to_rgb
from calm.pictures.palettes import DIVERGING, SEQUENTIAL

SAMPLES_PER_GROUP = 2
MASK_COLOUR = np.array([255, 0, 160])
"""Magenta on the greyed image; no bird has it."""


def save_curves(path: str | Path, results: Sequence[PairResult], *, title: str) -> None:
    """Draw precision over recall, the mean over the pairs of each number of differing parts.

    Args:
        path: picture to write.
        results: of the pairs.
        title: of the picture.
    """
    figure = Figure(figsize=(5, 4))
    axis = figure.subplots()
    for n, style in ((1, "-"), (2, "--"), (3, ":")):
        group = [r for r in results if r.pxap is not None and len(r.pair.parts) == n]
        if group:
            mean = np.mean([result.pxap for result in group])
            label = f"{n} part{'s' * (n > 1)}: mPxAP {mean:.1f} % ({len(group)} pairs)"
            axis.plot(100 * RECALLS, 100 * np.mean([r.precision for r in group], axis=0), style, label=label)
    axis.set(xlabel="recall of cue pixels, %", ylabel="precision, %", xlim=(0, 100), ylim=(0, None))
    axis.spines[["top", "right"]].set_visible(False)
    if axis.lines:
        axis.legend(frameon=False, fontsize=8)
    axis.set_title(title, fontsize=9)
    save_figure(figure, path)


def save_samples(
    path: str | Path,
    images: CueImages,
    collected: Collected,
    results: Sequence[PairResult],
    *,
    names: Sequence[str],
    mean: Sequence[float],
    std: Sequence[float],
    aligned: Callable[[Tensor], Tensor],
) -> None:
    """Draw a row per sample: image, map of class A, map of class B, their signed difference, the true cue mask.

    Samples are this process's images; pairs are spread over each number of differing parts.

    Args:
        path: picture to write.
        images: those that were evaluated.
        collected: of this process.
        results: of the pairs.
        names: of the classes.
        mean: of the normalisation, per channel.
        std: of the normalisation, per channel.
        aligned: what is done to raw maps [n,h,w] before they are resized.
    """
    chosen = _samples(results, collected)
    if not chosen:
        return
    figure = Figure(figsize=(11, 2.5 * len(chosen)))
    axes = figure.subplots(len(chosen), 5, squeeze=False)
    for row, (result, position) in zip(axes, chosen):
        _draw_row(row, images, collected, result, position, names, (mean, std), aligned)
    figure.tight_layout(pad=0.5)
    save_figure(figure, path)


def _samples(results: Sequence[PairResult], collected: Collected) -> list[tuple[PairResult, int]]:
    """Some pairs of each group, each with its first image of this process that shows the cue."""
    chosen = []
    for n in (1, 2, 3):
        found = []
        for result in results:
            shown = (p for p, area in zip(result.positions, result.mask_pixels) if area and p in collected.index_of)
            position = next(shown, None)
            if result.pxap is not None and len(result.pair.parts) == n and position is not None:
                found.append((result, position))
        steps = np.linspace(0, len(found) - 1, min(SAMPLES_PER_GROUP, len(found))).round().astype(int)
        chosen += [found[step] for step in steps]
    return chosen


def _draw_row(
    row,
    images: CueImages,
    collected: Collected,
    result: PairResult,
    position: int,
    names: Sequence[str],
    normalisation: tuple[Sequence[float], Sequence[float]],
    aligned: Callable[[Tensor], Tensor],
) -> None:
    pair = result.pair
    rgb = to_rgb(images[position][0], *normalisation)
    both = (aligned(collected.raw_of([position], *classes)) for classes in (pair[:2], pair[1::-1]))
    raw = [resize(maps, rgb.shape[:2])[0].numpy() for maps in both]
    low, high = min(map(np.min, raw)), max(map(np.max, raw))
    difference = raw[0] - raw[1]
    span = np.abs(difference).max() or 1.0
    mask = pair.mask(collected.parts_of([position])[0])
    grey = 100 + 0.6 * rgb.mean(axis=2, keepdims=True)
    marked = np.where(mask[..., None], 0.4 * grey + 0.6 * MASK_COLOUR, grey).astype(np.uint8)
    row[0].imshow(rgb)
    for axis, values in zip(row[1:3], raw):
        axis.imshow(values, cmap=colour_map(SEQUENTIAL), vmin=low, vmax=high)
    row[3].imshow(difference, cmap=colour_map(DIVERGING), vmin=-span, vmax=span)
    row[4].imshow(marked)
    a, b = (names[c] for c in (pair.class_a, pair.class_b))
    own = images.images.records[images.indices[position]].target
    titles = [names[own], f"A: {a}", f"B: {b}", "A - B", f"true cue: {', '.join(pair.part_names)}"]
    for axis, text in zip(row, titles):
        axis.set_title(fill(text, 38), fontsize=7)
        axis.set_axis_off()
