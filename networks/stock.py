"""Stock classifiers as CAM networks: a linear layer behind the mean over cells is a 1x1 convolution in front of it."""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from calm.errors import UserError
from calm.networks.build import build_network
from calm.networks.methods import METHODS
from calm.networks.network import Network
from calm.networks.trunks import canonical_architecture
from calm.networks.weight_files import copy_weights

SMALL_SIZE = 96
"""Side of the picture, in pixels, on which scores are compared where the network takes it."""
TOLERANCE = 1e-4
"""Of their difference, times the largest score or 1."""
HINT = "are these weights of that architecture?"
METHOD = "CAM"
"""The training method whose network a stock classifier is."""


def is_stock(state: Mapping[str, Tensor]) -> bool:
    """Whether a state dict has the class layer of no training method, but a linear one."""
    ours = any(method.head.count_classes(state) is not None for method in METHODS.values())
    return not ours and linear_of(state) is not None


def linear_of(state: Mapping[str, Tensor]) -> str | None:
    """Name of the last linear layer in the file's order: that of the classes, if there is any."""
    names = [name for name, tensor in state.items() if name.endswith(".weight") and tensor.ndim == 2]
    return names[-1].removesuffix(".weight") if names else None


def renamed_classifier(network: Network, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A stock classifier's state dict under the names of ``network``; its linear layer becomes ``conv_last``."""
    ours = {name: tensor for name, tensor in state.items() if name.rpartition(".")[0] != network.imagenet_classifier}
    ours = network.renamed(ours)
    weight = None if network.imagenet_classifier is None else state.get(f"{network.imagenet_classifier}.weight")
    if weight is not None:
        bias = state.get(f"{network.imagenet_classifier}.bias", weight.new_zeros(len(weight)))
        ours |= {"conv_last.weight": weight[:, :, None, None], "conv_last.bias": bias}
    return ours


def cam_network(architecture: str, state: Mapping[str, Tensor], *, source: str) -> Network:
    """A CAM network, in evaluation mode, with the scores of a stock classifier.

    Args:
        architecture: of the classifier; one whose strides are others than the classifier's is replaced by its like.
        state: of the whole classifier.
        source: file or address, for errors.

    Raises:
        UserError: the weights are not of that architecture, or its classifier is more than a mean over cells and a
            linear layer.
    """
    linear = linear_of(state)
    classes = 0 if linear is None else len(state[f"{linear}.weight"])
    network = stock_trunk(architecture, max(1, classes))
    if linear is None or linear != network.imagenet_classifier:
        wanted = (
            "a linear layer of classes"
            if network.imagenet_classifier is None
            else f"{network.imagenet_classifier}.weight"
        )
        raise UserError(f"{source}: has no {wanted}, so it is no classifier of `architecture`={network.architecture}")
    whole = network.whole(classes).eval()
    copy_weights(whole, state, source=source, hint=HINT, ignore_surplus=True)
    ours = renamed_classifier(network, whole.state_dict())
    if ours["conv_last.weight"].shape != network.conv_last.weight.shape or not has_scores_of(network, whole, ours):
        raise UserError(
            f"{source}: the scores of {network.architecture} are not the mean over cells of a linear layer "
            f"({what_else(network, whole)}), so it has no class maps and is no CAM network; a trunk for CALM it can be"
        )
    return network


def stock_trunk(architecture: str, num_classes: int) -> Network:
    """A CAM network, in evaluation mode, on the trunk that has the strides of the stock classifier."""
    network = build_network(canonical_architecture(architecture), METHOD, num_classes)
    if network.stock_architecture is None:
        raise UserError(
            f"`architecture`={architecture} has layers of its own in front of its classes, so that it is no front of a "
            f"stock classifier: name that one, as torchvision:{architecture}"
        )
    if network.stock_architecture != network.architecture:
        network = build_network(network.stock_architecture, METHOD, num_classes)
    return network.eval()


@torch.no_grad()
def has_scores_of(network: Network, whole: nn.Module, state: Mapping[str, Tensor]) -> bool:
    """Copy ``state`` into ``network`` and compare both networks' scores of a picture of noise."""
    copy_weights(network, state, source="the classifier", hint=HINT, new=("attention.",), ignore_surplus=True)
    for side in (SMALL_SIZE, network.usual_size):
        images = torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(0))
        try:
            ours, theirs = network(images).class_scores, whole(images)
        except (UserError, AssertionError, RuntimeError):  # made for one size
            continue
        return bool((ours - theirs).abs().max() <= TOLERANCE * theirs.abs().max().clamp_min(1))
    return False


def what_else(network: Network, whole: nn.Module) -> str:
    """What stands between the features and the linear layer, in words."""
    trained = {name.removeprefix("trunk.") for name, tensor in network.named_parameters() if tensor.requires_grad}

    def behind() -> Iterator[str]:
        for name, module in whole.named_modules():
            own = [f"{name}.{parameter}" for parameter, _ in module.named_parameters(recurse=False)]
            if name and own and name != network.imagenet_classifier and not trained & set(own):
                yield type(module).__name__

    kinds: list[Any] = list(dict.fromkeys(behind()))
    return f"its {', '.join(kinds)} come after the mean" if kinds else "it reads a class token, or weighs the cells"


def published_classifier(architecture: str, *, pretrained: bool = True) -> Network:
    """A stock classifier by name, with its published weights or first ones, as a CAM network in evaluation mode."""
    trunk = stock_trunk(architecture, 1)
    if pretrained:
        state, source = trunk.imagenet_state()
    else:
        state, source = trunk.whole(1000).state_dict(), architecture
    return cam_network(architecture, state, source=source)
