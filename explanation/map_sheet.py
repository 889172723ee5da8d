"""Images that a network is sure of and one that it mistakes, each above its map, all maps on one scale."""

from collections.abc import Callable
from pathlib import Path
from textwrap import fill

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from calm.attribution import build_attribution
from calm.attribution.catalogue import title_of
from calm.data_loaders.classes import short_name
from calm.data_loaders.datasets import ImageDataset
from calm.explanation.answers import RULE, Answers, sure_and_one_mistake
from calm.explanation.axes import INK, SOFT, draw_map, draw_picture, outline
from calm.explanation.kinds import kinds_of
from calm.networks import METHODS
from calm.networks.network import Network
from calm.pictures.figures import save_figure
from calm.pictures.overlay import to_rgb

COUNT, COLUMNS = 12, 6
WRONG = "#b2182b"


def save_map_sheet(
    path: str | Path,
    network: Network,
    dataset: ImageDataset,
    answers: Answers,
    *,
    device: torch.device,
    cue: Callable[[int, int], np.ndarray] | None = None,
) -> None:
    """Draw ``COUNT`` images by ``answers.RULE``, each above its map for the class that the network predicts.

    The map is the joint p(y,z|x) of a CALM network, or the default map of its method; what lies below zero counts as
    zero. The true class stands above the predicted one and its p(y|x); a mistake is red.

    Args:
        path: picture to write.
        network: in evaluation mode, on ``device``.
        dataset: the images.
        answers: to choose from.
        device: of the network.
        cue: of ``explanation.cues``; outlined where given.
    """
    chosen = sure_and_one_mistake(answers, COUNT)
    indices = answers.indices[chosen].tolist()
    images, predicted = torch.stack([dataset[index][0] for index in indices]).to(device), answers.predicted[chosen]
    with torch.inference_mode():
        attribution = METHODS[network.method].default_map
        maps = build_attribution(attribution)(network, images, predicted.to(device)).clamp_min(0).float().cpu().numpy()
    columns = min(COLUMNS, len(chosen))
    rows = -(-len(chosen) // columns)
    figure = Figure(figsize=(1.9 * columns + 0.9, 4.35 * rows + 0.4), layout="constrained")
    axes = figure.subplots(2 * rows, columns, squeeze=False)
    for axis in axes.flat:
        axis.set_axis_off()
    drawn = None
    for place, (position, index) in enumerate(zip(chosen, indices, strict=True)):
        row, column = divmod(place, columns)
        picture = Image.fromarray(to_rgb(images[place], network.mean, network.std))
        above, below = axes[2 * row, column], axes[2 * row + 1, column]
        draw_picture(above, picture)
        drawn = draw_map(below, picture, maps[place], signed=False, high=float(maps.max()))
        if cue is not None:
            mask = cue(index, int(predicted[place]))
            outline(above, picture, mask)
            outline(below, picture, mask)
        _name(above, dataset, answers, position)
    if drawn is not None:
        bar = figure.colorbar(drawn, ax=axes, shrink=0.5, aspect=40)
        bar.set_label(unit_of(network, attribution, maps.shape[1:]), color=SOFT)
    marked = " Outlined: the parts that tell the class from those most like it." if cue else ""
    figure.supxlabel(RULE + marked, fontsize=9, color=SOFT)
    save_figure(figure, path)


def unit_of(network: Network, attribution: str, grid: tuple[int, ...]) -> str:
    """What a value of the map is, such as "p(y, z | x), probability of one of 8 x 8 cells"."""
    kinds = kinds_of(network.head.uses_prior).values()
    kind = next((kind for kind in kinds if kind.attribution == attribution), None)
    what = title_of(attribution) if kind is None else f"{kind.formula}, {kind.unit}"
    return f"{what} of one of {grid[0]} x {grid[1]} cells"


def _name(axis: Axes, dataset: ImageDataset, answers: Answers, position: int) -> None:
    """Above an image its true class, then what is predicted; a mistake in red, framed."""
    target, predicted = int(answers.targets[position]), int(answers.predicted[position])
    true, p = fill(short_name(dataset.class_names[target]), 27), float(answers.p[position])
    if predicted == target:
        axis.set_title(f"{true}\npredicted, p = {p:.2f}", fontsize=8, color=INK)
        return
    wrong = fill(f"WRONG: {short_name(dataset.class_names[predicted])}", 27)
    axis.set_title(f"{true}\n{wrong}, p = {p:.2f}", fontsize=8, color=WRONG)
    axis.set_axis_on()
    axis.set(xticks=[], yticks=[])
    axis.spines[:].set(visible=True, color=WRONG, linewidth=2.5)
