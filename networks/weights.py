"""ImageNet weights into a network's trunk: from its usual source, or from a given file."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from calm.errors import UserError
from calm.networks.network import Network
from calm.networks.weight_files import copy_weights, read_state
from calm.networks.zoo.files import fetched_file


def load_imagenet_weights(network: Network, *, path: str | Path | None = None, with_classifier: bool = False) -> None:
    """Fill the trunk of ``network``; every tensor that ImageNet weights have must come from them.

    Args:
        network: fresh from its constructor; the head's layers and ``unpublished_layers`` keep their first weights.
        path: file of a state dict (torch.save or safetensors), or "zoo:NAME". None: the trunk's usual source.
        with_classifier: their classifier becomes ``conv_last``, too; the classes should be ImageNet's, in its order.

    Raises:
        UserError: the weights cannot be had, are damaged, or do not fit.
    """
    if path is None:
        state, source = network.imagenet_state()
    else:
        path = located(path)
        state, source = read_state(path), str(path)
    heads = tuple(f"{layer}." for layer in network.head_layers)
    state = {name: tensor for name, tensor in state.items() if not name.startswith(heads)}
    copy_weights(
        network,
        network.renamed(state),
        source=source,
        new=(*heads, *network.unpublished_layers),
        hint=f"are these ImageNet weights for {network.architecture}?",
        ignore_surplus=True,
    )
    if with_classifier:
        begin_with_classifier(network, state, source)


def begin_with_classifier(network: Network, state: Mapping[str, Tensor], source: str) -> None:
    """Copy the classifier of ImageNet weights, [K,C] and [K], into ``conv_last``, which then gives its logits.

    Raises:
        UserError: the trunk's weights have no such classifier, or the head cannot start from it, or shapes differ.
    """
    name, option = network.imagenet_classifier, "`pretrained_classifier`"
    if name is None or not network.head.begins_with_classifier:
        raise UserError(
            f"{option}: ImageNet's classifier is no start for {network.method} on {network.architecture}; it is for "
            "CAM, HaS, CutMix and ADL on resnet50 or resnet18"
        )
    weight, bias = state.get(f"{name}.weight"), state.get(f"{name}.bias")
    ours = network.conv_last
    if weight is None or bias is None or weight.shape != ours.weight.shape[:2]:
        has = f"{name} of shape {list(weight.shape)}" if weight is not None and bias is not None else f"no {name}"
        raise UserError(f"{option}: {source} has {has}, and the network's is {list(ours.weight.shape[:2])}")
    with torch.no_grad():
        ours.weight.copy_(weight[:, :, None, None])
        if ours.bias is not None:
            ours.bias.copy_(bias)


def located(path: str | Path) -> Path:
    """A given path, "zoo:NAME" resolved."""
    return fetched_file(str(path).removeprefix("zoo:")) if str(path).startswith("zoo:") else Path(path)
