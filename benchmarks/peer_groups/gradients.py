"""Gradient maps of captum."""

import captum.attr
import torch
from torch import Tensor

from peer_groups.pairs import Inputs, Pair, largest

COPIES = 16


def pairs(inputs: Inputs) -> dict[str, Pair]:
    """The gradient, and SmoothGrad in passes of eight images, where each side draws its own noise."""
    network, images, targets = inputs.network, inputs.images, inputs.targets

    def score(shown: Tensor) -> Tensor:
        return network(shown).class_scores

    def saliency() -> Tensor:
        return captum.attr.Saliency(score).attribute(images.clone(), target=targets).amax(dim=1)

    def smoothgrad() -> Tensor:
        torch.manual_seed(0)
        tunnel = captum.attr.NoiseTunnel(captum.attr.Saliency(score))
        options = {"nt_type": "smoothgrad", "nt_samples": COPIES, "nt_samples_batch_size": 8 // len(images)}
        sigma = float((images.amax() - images.amin()) / 4)
        return tunnel.attribute(images.clone(), target=targets, stdevs=sigma, **options).amax(dim=1)

    def uncorrelated(ours: Tensor, theirs: Tensor) -> float:
        return 1 - torch.corrcoef(torch.stack([ours.flatten(), theirs.flatten()]))[0, 1].item()

    ours = inputs.ours("smoothgrad", smooth_grad_nr_iter=COPIES)
    return {
        "gradient": Pair(inputs.ours("gradient"), saliency, largest, "captum"),
        "smoothgrad (1 - correlation: other noise)": Pair(ours, smoothgrad, uncorrelated, "captum"),
    }
