"""Images spread over a data set, each above its own map: what a training run shows of its network."""

from pathlib import Path
from textwrap import fill

import numpy as np
import torch
from matplotlib.figure import Figure

from calm.attribution import build_attribution
from calm.attribution.catalogue import default_attribution
from calm.attribution.score_map import normalize, resize
from calm.data_loaders.classes import short_name
from calm.data_loaders.datasets import ImageDataset
from calm.networks.network import Network
from calm.pictures import overlay, save_figure, to_rgb


def save_map_sheet(
    path: str | Path, network: Network, dataset: ImageDataset, *, device: torch.device, count: int = 12
) -> None:
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
