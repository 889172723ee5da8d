"""Pictures of remove-and-classify: the curves over k, and what is left of some images."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from textwrap import fill as wrap

import torch
from matplotlib.figure import Figure
from torch import Tensor

from calm.attribution.score_map import normalize, resize
from calm.evaluation.pixel_perturb.erasing import erase_first, fill_for, num_erased, rank_at_random, rank_by_score
from calm.pictures.figures import save_figure
from calm.pictures.overlay import overlay, to_rgb


def save_curves(path: str | Path, values: Mapping[str, float], percentages: Sequence[int], *, title: str) -> None:
    """Draw A_k and A_k^r on the left and R_k on the right over k (paper, Figure 5).

    Args:
        path: picture to write.
        values: accuracy, A_k, Ar_k and R_k for each k, as ``metrics.PerturbationRatio.compute`` gives them.
        percentages: the k, in percent.
        title: of the picture.
    """
    figure = Figure(figsize=(9, 3.6))
    accuracies, ratios = figure.subplots(1, 2)
    shares = [0, *percentages]
    lines = {"most important first": ("A", "tab:red", "o-"), "at random": ("Ar", "tab:gray", "s--")}
    for label, (key, colour, style) in lines.items():
        heights = [values["accuracy"], *(values[f"{key}_{k}"] for k in percentages)]
        accuracies.plot(shares, heights, style, color=colour, label=label)
    accuracies.set_ylabel("accuracy, %")
    accuracies.set_ylim(bottom=0)
    accuracies.legend(frameon=False)
    ratios.plot(shares, [1.0, *(values[f"R_{k}"] for k in percentages)], "o-", color="tab:red")
    ratios.axhline(1, color="tab:gray", linewidth=0.8, linestyle="--")
    ratios.set_ylabel("Rₖ = Aₖ / Aₖʳ, lower is better")
    ratios.set_ylim(bottom=0)
    for axis in (accuracies, ratios):
        axis.set_xlabel("k, % of the pixels erased")
        axis.spines[["top", "right"]].set_visible(False)
    figure.suptitle(title)
    figure.tight_layout()
    save_figure(figure, path)


def save_samples(
    path: str | Path,
    images: Tensor,
    maps: Tensor,
    keys: Tensor,
    probability: Callable[[Tensor], Tensor],
    *,
    erase: str,
    percentages: Sequence[int],
    mean: Sequence[float],
    std: Sequence[float],
    names: Sequence[str],
) -> None:
    """Draw a row per image: the image, its map, then erased by the map and, last, the middle share at random.

    Args:
        path: picture to write.
        images: [B,3,H,W], normalised by ``mean`` and ``std``.
        maps: [B,h,w] raw maps of the true class.
        keys: [B,4] of ``perturbation.image_keys``.
        probability: images -> p(y|x) of the true classes, [B]; printed above each picture.
        erase: a name in ``perturbation.ERASERS``.
        percentages: the k, in percent.
        mean: of the normalisation, per channel.
        std: of the normalisation, per channel.
        names: the true classes' names.
    """
    size = (images.shape[2], images.shape[3])
    fill, ranks, random = fill_for(erase, images, keys), rank_by_score(maps, size), rank_at_random(keys, size)
    middle = percentages[len(percentages) // 2]
    columns = [(f"top {k} %", erase_first(images, ranks, fill, num_erased(k, *size))) for k in percentages]
    columns.append((f"random {middle} %", erase_first(images, random, fill, num_erased(middle, *size))))
    scores = normalize(resize(maps.float(), size), "minmax").cpu().numpy()
    figure = Figure(figsize=(1.5 * (len(columns) + 2), 1.9 * len(images)))
    axes = figure.subplots(len(images), len(columns) + 2, squeeze=False)
    for axis in axes.flat:
        axis.set_axis_off()
    for row, (image, score, name) in enumerate(zip(images, scores, names, strict=True)):
        axes[row, 0].imshow(to_rgb(image, mean, std))
        axes[row, 0].set_title(wrap(name, 22), fontsize=7)
        axes[row, 1].imshow(overlay(to_rgb(image, mean, std), score))
    for column, (label, erased) in enumerate([("map", images), *columns], start=1):
        for row, p_y in enumerate(probability(erased).tolist()):
            if column > 1:
                axes[row, column].imshow(to_rgb(erased[row], mean, std))
            axes[row, column].set_title(f"{label}\np = {p_y:.2f}", fontsize=7)
    figure.tight_layout(pad=0.4)
    save_figure(figure, path)


def spread(count: int, total: int) -> list[int]:
    """Up to ``count`` indices spread evenly over ``total``."""
    return torch.linspace(0, total - 1, min(count, total)).round().long().tolist()
