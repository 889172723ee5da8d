"""Feature maps of a network and the class score's gradient there: at the last ones, or at layers chosen by name."""

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from typing import NamedTuple

import torch
from torch import Tensor, nn

from calm.errors import UserError
from calm.networks.network import Network
from calm.networks.outputs import Output
from calm.networks.shared_features import features_of

ScoreOf = Callable[[Output, Tensor], Tensor]
"""(output, targets [B]) -> [B], differentiable."""


def score_of_target(output: Output, targets: Tensor) -> Tensor:
    """mean_z g, or log p(y|x), of each sample's own class, [B]."""
    return output.score_of(targets)


class LayerGradient(NamedTuple):
    """A layer's features A and dS/dA, both [B,C,h,w] and detached."""

    features: Tensor
    gradient: Tensor


def last_features(module: Network, images: Tensor) -> Tensor:
    """The last features [B,C,h,w] in float32 or better, to differentiate by; the trunk runs without gradients."""
    with torch.no_grad():
        features = features_of(module, images)
    return features.to(torch.promote_types(features.dtype, torch.float32), copy=True).requires_grad_(True)


def last_layer_gradient(
    module: Network, images: Tensor, targets: Tensor, score_of: ScoreOf = score_of_target
) -> LayerGradient:
    """At the last features, in float32 or better; the trunk runs without gradients."""
    with torch.inference_mode(False), torch.enable_grad():
        features = last_features(module, images)
        score = score_of(module.read_out(features, images=images.clone()), targets.clone()).sum()
        return LayerGradient(features.detach(), torch.autograd.grad(score, features)[0])


def layer_gradients(
    module: Network, images: Tensor, targets: Tensor, layers: Sequence[str], score_of: ScoreOf = score_of_target
) -> list[LayerGradient]:
    """At the outputs of the named modules ("layer3", "layer4.1"), in that order.

    Raises:
        UserError: for a name that the network does not have, or a layer that gives no [B,C,h,w] features or runs more
            than once.
    """
    with torch.inference_mode(False), torch.enable_grad():
        inputs = images.detach().clone().requires_grad_(True)
        with outputs_of(module, layers) as outputs:
            score = score_of(module(inputs), targets.clone()).sum()
        features = [_only(outputs[layer], layer) for layer in layers]
        gradients = torch.autograd.grad(score, features)
    at_least_float32 = [torch.promote_types(f.dtype, torch.float32) for f in features]
    return [
        LayerGradient(f.detach().to(dtype), g.to(dtype)) for f, g, dtype in zip(features, gradients, at_least_float32)
    ]


@contextmanager
def outputs_of(module: nn.Module, layers: Sequence[str]) -> Generator[dict[str, list[Tensor]], None, None]:
    """Layer -> its outputs during the block. The network goes on with copies, which in-place layers may overwrite."""
    modules = dict(module.named_modules())
    for layer in layers:
        if layer not in modules or not layer:
            near = ", ".join(get_close_matches(layer, modules, n=3, cutoff=0.3)) or ", ".join([*modules][1:6])
            raise UserError(f"the network has no layer {layer!r}: near it are {near}")
    outputs: dict[str, list[Tensor]] = {layer: [] for layer in layers}

    def keep(layer: str) -> Callable[[nn.Module, tuple, Tensor], Tensor]:
        def hook(layer_module: nn.Module, inputs: tuple, output: Tensor) -> Tensor:
            outputs[layer].append(output)
            return output.clone() if isinstance(output, Tensor) else output

        return hook

    hooks = [modules[layer].register_forward_hook(keep(layer)) for layer in outputs]
    try:
        yield outputs
    finally:
        for hook in hooks:
            hook.remove()


def _only(outputs: list[Tensor], layer: str) -> Tensor:
    if len(outputs) != 1:
        raise UserError(f"the layer {layer!r} runs {len(outputs)} times in one pass: choose a layer that runs once")
    if not isinstance(outputs[0], Tensor) or outputs[0].ndim != 4:
        raise UserError(f"the layer {layer!r} gives no feature map [B,C,h,w]: choose a convolutional layer")
    return outputs[0]
