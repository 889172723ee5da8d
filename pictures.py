"""Pictures of images and their maps: the two palettes, a map over its image, and files."""

from collections.abc import Sequence
from pathlib import Path
from textwrap import fill

import numpy as np
import torch
from matplotlib import colormaps
from matplotlib.colors import Colormap, LinearSegmentedColormap
from matplotlib.figure import Figure
from torch import Tensor, nn

from calm.atomic import replacing
from calm.attribution import build_attribution
from calm.attribution.catalogue import default_attribution
from calm.attribution.score_map import normalize, resize
from calm.data_loaders.classes import short_name

SEQUENTIAL: Colormap = colormaps["viridis"]
"""Safe for colour-vision deficiencies, as is the other."""
DIVERGING: Colormap = LinearSegmentedColormap.from_list(
    "blue_white_red",
    ["#053061", "#2166ac", "#4393c3", "#92c5de", "#ffffff", "#f4a582", "#d6604d", "#b2182b", "#67001f"],
    N=257,
)
"""Red above zero, blue below, zero exactly white: an odd number of colours has a middle one."""
METADATA = {".png": {"Software": None}, ".pdf": {"CreationDate": None}}
"""Suffix -> what matplotlib shall leave out, so that the same figure gives the same file."""


def colour_table(palette: Colormap) -> np.ndarray:
    """[N,3] uint8, the palette's colours in order."""
    return (palette(np.arange(palette.N))[:, :3] * 255).round().astype(np.uint8)


def to_rgb(image: Tensor, mean: Sequence[float], std: Sequence[float]) -> np.ndarray:
    """[3,H,W] normalised image -> [H,W,3] uint8."""
    pixels = image.detach().cpu() * torch.tensor(std)[:, None, None] + torch.tensor(mean)[:, None, None]
    return (pixels.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()


def overlay(rgb: np.ndarray, score_map: np.ndarray, *, opacity: float = 0.8) -> np.ndarray:
    """[H,W,3] uint8 and [H,W] in [0,1] -> [H,W,3] uint8: the map's colour, the more opaque the higher the score."""
    colour = SEQUENTIAL(score_map)[..., :3] * 255
    weight = opacity * np.sqrt(np.clip(score_map, 0, 1))[..., None]
    return (rgb * (1 - weight) + colour * weight).round().astype(np.uint8)


def save_figure(figure: Figure, path: str | Path, *, dpi: int = 110) -> None:
    """Write a figure atomically; the suffix chooses the format."""
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=dpi, bbox_inches="tight", metadata=METADATA.get(temporary.suffix))


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
        maps = build_attribution(default_attribution(network.method))(network, images, targets)
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
