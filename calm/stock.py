"""A stock ImageNet classifier of timm as a CAM network: its class maps are its linear layer at every cell."""

from typing import Any

import torch
from torch import nn

from calm.data_loaders.catalogue import dataset_named
from calm.errors import UserError, require
from calm.explanation.explainer import Explainer
from calm.networks import build_network

PREFIX = "timm:"


def is_timm_name(source: str) -> bool:
    """Whether a source of a network names one of timm."""
    return source.startswith(PREFIX)


def timm_classifier(source: str, *, pretrained: bool = True, large_feature_map: bool = False) -> Explainer:
    """The classifier with its ImageNet classes.

    Args:
        source: "timm:NAME".
        pretrained: with timm's weights, from its hub's cache or by download.
        large_feature_map: cells at stride 8 instead of 16.

    Raises:
        UserError: timm is missing or has no such network, or one whose head is more than a mean and a linear layer.
    """
    require("timm", extra="timm")
    import timm

    network: Any = build_network(source, "CAM", 1000, large_feature_map=large_feature_map)
    name = source.removeprefix(PREFIX)
    try:
        model: Any = timm.create_model(name, pretrained=pretrained).eval()
    except (OSError, RuntimeError) as error:
        raise UserError(f"{source}: its weights cannot be had ({error}); try again") from error
    linear = model.get_classifier()
    if not isinstance(linear, nn.Linear) or not _is_mean_and_linear(model, linear):
        raise UserError(
            f"{source}: its head is more than a mean over cells and a linear layer, so it has no class maps"
        )
    network.trunk.load_state_dict(model.state_dict(), strict=False)
    with torch.no_grad():
        network.conv_last.weight.copy_(linear.weight[:, :, None, None])
        network.conv_last.bias.copy_(linear.bias)
    names = dataset_named("ImageNet").class_names("dataset/")
    size = int(model.pretrained_cfg["input_size"][-1])
    return Explainer(network, size, names, {index: [index] for index in range(len(names))}, f"{name} of timm")


@torch.no_grad()
def _is_mean_and_linear(model: Any, linear: nn.Linear) -> bool:
    """Whether the scores are the linear layer's of the mean feature, seen on a picture of noise."""
    images = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    features = model.forward_features(images)
    if features.ndim != 4 or features.shape[1] != linear.in_features:
        return False
    return bool(torch.allclose(linear(features.mean(dim=(2, 3))), model(images), rtol=1e-3, atol=1e-4))
