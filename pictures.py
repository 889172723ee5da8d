"""Pictures of images and their maps."""

from collections.abc import Sequence
from pathlib import Path
from textwrap import fill

import matplotlib
import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from atomic import replacing
from attribution import build_attribution
from attribution.score_map import normalize, resize
from data_loaders.classes import short_name

SEQUENTIAL, DIVERGING = "inferno", "RdBu_r"
"""Colour maps, both readable with a colour-vision deficiency; the diverging one is red above zero, blue below."""


def to_rgb(image: Tensor, mean: Sequence[float], std: Sequence[float]) -> np.ndarray:
    """[3,H,W] normalised image -> [H,W,3] uint8."""
    pixels = image.detach().cpu() * torch.tensor(std)[:, None, None] + torch.tensor(mean)[:, None, None]
    return (pixels.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()


def overlay(rgb: np.ndarray, score_map: np.ndarray, *, opacity: float = 0.75) -> np.ndarray:
    """[H,W,3] uint8 and [H,W] in [0,1] -> [H,W,3] uint8: the map's colour, the more opaque the higher the score."""
    colour = matplotlib.colormaps[SEQUENTIAL](score_map)[..., :3] * 255
    weight = opacity * np.sqrt(np.clip(score_map, 0, 1))[..., None]
    return (rgb * (1 - weight) + colour * weight).round().astype(np.uint8)


def save_figure(figure: Figure, path: str | Path, *, dpi: int = 110) -> None:
    """Write a figure atomically."""
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=dpi, bbox_inches="tight", metadata={"Software": None})


def save_map_sheet(path: str | Path, network: nn.Module, dataset, *, device: torch.device, count: int = 12) -> None:
    """Draw ``count`` images spread over ``dataset``, each above its attribution map for the true class.

    The map is the joint p(y,z|x) of a CALM network (it sums to the p(y|x) printed above) or CAM's class map.
    """
    indices = np.linspace(0, len(dataset) - 1, min(count, len(dataset))).round().astype(int).tolist()
    items = [dataset[index] for index in indices]
    images = torch.stack([image for image, _, _ in items]).to(device)
    targets = torch.tensor([target for _, target, _ in items], device=device)
    with torch.inference_mode():
        p_y = network.eval()(images).log_p_y.exp().cpu()
        maps = build_attribution("joint" if network.head.uses_prior else "cam")(network, images, targets)
        scores = normalize(resize(maps, images.shape[-1]), "max").cpu().numpy()
    columns = min(6, len(items))
    rows = -(-len(items) // columns)
    figure = Figure(figsize=(2 * columns, 4.4 * rows), layout="constrained")
    axes = figure.subplots(2 * rows, columns, squeeze=False)
    for axis in axes.flat:
        axis.set_axis_off()
    for position, (image, target, _) in enumerate(items):
        row, column = divmod(position, columns)
        rgb = to_rgb(image, network.mean, network.std)
        name = fill(short_name(dataset.class_names[target]), 27)
        axes[2 * row, column].imshow(rgb)
        axes[2 * row, column].set_title(f"{name}\np(y|x) = {p_y[position, target]:.2f}", fontsize=8)
        axes[2 * row + 1, column].imshow(overlay(rgb, scores[position]))
    save_figure(figure, path)
