"""What remove-and-classify prints and draws."""

from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from calm.data_loaders.classes import short_name
from calm.data_loaders.datasets import ImageDataset
from calm.distributed import print0
from calm.engine import Prediction
from calm.evaluation.pixel_perturb.erasing import PERCENTAGES
from calm.evaluation.pixel_perturb.measure import keys_of, predicted
from calm.evaluation.pixel_perturb.pictures import save_curves, save_samples, spread

SAMPLES = 6
"""Images in the picture."""


def print_table(values: Mapping[str, float], name: str, erase: str) -> None:
    """The accuracies and ratios, a line per k."""
    print0(f"\nremove-and-classify: {name}, erased by {erase}; accuracy {values['accuracy']:.2f} % with nothing erased")
    print0("R_k = A_k / A_k^r: lower is better, 1 is what erasing at random gets")
    print0(f"{'k %':>5}{'A_k %':>9}{'A_k^r %':>9}{'R_k':>8}")
    for k in PERCENTAGES:
        print0(f"{k:>5}{values[f'A_{k}']:>9.2f}{values[f'Ar_{k}']:>9.2f}{values[f'R_{k}']:>8.3f}")


def draw_curves(folder: Path, values: Mapping[str, float], title: str) -> None:
    """Write curves.png to ``folder``: accuracies and ratios over k."""
    save_curves(folder / "curves.png", values, PERCENTAGES, title=title)


def draw_samples(
    folder: Path,
    dataset: ImageDataset,
    network: nn.Module,
    maps_of: Callable[[Prediction], Tensor],
    *,
    erase: str,
    seed: int,
    device: torch.device,
) -> None:
    """Write samples.png to ``folder``: some images, erased step by step.

    Args:
        folder: of the pictures.
        dataset: the images.
        network: in evaluation mode.
        maps_of: (a batch's prediction) -> raw maps of the true class.
        erase: a name in ``erasing.ERASERS``.
        seed: of the random order and the noise.
        device: where the network is.
    """
    batch = predicted(dataset, spread(SAMPLES, len(dataset)), network, device)

    @torch.inference_mode()
    def probability(erased: Tensor) -> Tensor:
        return network(erased).log_p_y.gather(1, batch.targets[:, None])[:, 0].exp()

    save_samples(
        folder / "samples.png",
        batch.images,
        maps_of(batch),
        keys_of(dataset, batch, seed),
        probability,
        erase=erase,
        percentages=PERCENTAGES,
        mean=dataset.mean,
        std=dataset.std,
        names=[short_name(dataset.class_names[target]) for target in batch.targets.tolist()],
    )
