"""Maps of a formula-filled ResNet50 against the published values."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from calm.attribution import build_attribution, output_attribution
from calm.networks import build_network

OF_MAXIMUM = 2e-4
GRADIENTS_OF_MAXIMUM = 1e-2
"""Rounding, hence the number of threads, decides on which side of its kinks a ReLU is: 4e-3 here with one thread,
4e-7 with the two that the values were made with."""
HEAD_MAPS = ["vanilla", "vanilla-saliency", "vanilla-superclass"]
LATENT_MAPS = [
    "saliency",
    "jointll",
    "jointll-superclass",
    "jointll-superclass-mean",
    "gtcond",
    "gtcond-superclass",
    "gtcond-superclass-mean",
]


@cache
def filled_resnet50(method: str, large_feature_map: bool):
    import formulas

    network = build_network(
        "resnet50",
        method,
        200,
        large_feature_map=large_feature_map,
        prior_activation="relu",
        detach_prior_sum=True,
    )
    network.load_state_dict(formulas.fill(network.state_dict()))
    return network.eval()


def assert_near(ours: torch.Tensor, theirs: np.ndarray, tolerance: float = OF_MAXIMUM) -> None:
    error = float(np.abs(ours.numpy() - theirs).max())
    assert error <= tolerance * np.abs(theirs).max()


@pytest.mark.parametrize("method", ["CAM", "CALM_EM"])
def test_maps_of_the_heads(expected: Path, method: str):
    import formulas

    with np.load(expected / "heads" / f"resnet50_28_{method}.npz") as values:
        maps = {name.removeprefix("map|"): values[name] for name in values.files if name.startswith("map|")}
    targets = torch.tensor(formulas.LABELS)
    with torch.no_grad():
        output = filled_resnet50(method, True)(torch.from_numpy(formulas.batch(2)))
    for name in HEAD_MAPS if method == "CAM" else HEAD_MAPS + LATENT_MAPS:
        assert_near(output_attribution(name, supersets=formulas.superclass())(output, targets), maps[name])


@pytest.mark.parametrize("name", ["input_grad", "integrated_grad", "smooth_grad", "var_grad"])
def test_gradient_maps(expected: Path, name: str):
    """On the first of the two images, to save time; a batch gives the same as its images one by one."""
    import formulas

    with np.load(expected / "gradients" / "resnet50_14_CAM.npz") as values:
        pooled, total = values[f"grad|{name}"][:1], values[f"gradsum|{name}"][:1]
    images, targets = torch.from_numpy(formulas.batch(1)), torch.tensor(formulas.LABELS[:1])
    attribution = build_attribution(
        name, smooth_grad_nr_iter=10, noise=lambda k, shape: torch.from_numpy(formulas.noise(k, (2, *shape[1:]))[:1])
    )
    maps = attribution(filled_resnet50("CAM", False), images, targets)
    assert_near(F.avg_pool2d(maps[:, None], 8)[:, 0], pooled, GRADIENTS_OF_MAXIMUM)
    np.testing.assert_allclose(maps.sum(dim=(1, 2)).numpy(), total, rtol=1e-3)
