"""Classifiers of torchvision as trunks: the graph in front of their pooling, at the stride that it has there."""

from collections.abc import Mapping
from difflib import get_close_matches
from functools import cached_property
from typing import Any, ClassVar, NamedTuple

import torch
import torchvision
from torch import Tensor, fx, nn
from torchvision.ops import Permute, StochasticDepth

from calm.errors import UserError
from calm.networks.network import Network
from calm.networks.trunks.cells import measured_offset
from calm.networks.trunks.feature_maps import layout_of
from calm.networks.trunks.options import TrunkOptions

SIDES = (96, 224)
"""Of the pictures, in pixels, that are traced through a classifier; the first that it takes decides."""


class Input(NamedTuple):
    """What a classifier's published weights were made for."""

    side: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


RESCALING = ("googlenet", "inception_v3")
"""Those that scale the normalised input once more, to mean 0.5 and standard deviation 0.5."""


class Front(NamedTuple):
    """What stands in front of the pooling of a classifier."""

    module: fx.GraphModule
    """Images -> [B,C,h,w]; its layers have the classifier's names."""
    linear: str | None
    """Name of the last linear layer behind it."""
    is_permuted: bool
    """Whether the map had its channels last until the end, as a transformer's."""


class _Tracer(fx.Tracer):
    """Layers that are on in training only stay layers, so that the graph serves training too; and those looked for."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, (StochasticDepth, Permute)) or super().is_leaf_module(m, module_qualified_name)


def whole_classifier(name: str, num_classes: int) -> nn.Module:
    """The classifier itself with first weights.

    Raises:
        UserError: torchvision has none of the name.
    """
    known = torchvision.models.list_models(module=torchvision.models)
    if name not in known:
        close = ", ".join(get_close_matches(name, known, n=4, cutoff=0.3))
        raise UserError(f"`architecture`=torchvision:{name}: torchvision has no such classifier; near it are {close}")
    options = {"init_weights": True} if name in RESCALING else {}
    return torchvision.models.get_model(name, weights=None, num_classes=num_classes, **options)


def input_of(name: str) -> Input:
    """What torchvision states of a classifier's default weights."""
    views: Any = torchvision.models.get_model_weights(name)["DEFAULT"]
    views = views.transforms()
    mean, std = ((0.5, 0.5, 0.5),) * 2 if name in RESCALING else (tuple(views.mean), tuple(views.std))
    return Input(views.crop_size[0], mean, std)


def front_of(model: nn.Module) -> Front | None:
    """The last features in several cells on the way to the scores, and what makes them; None where there are none.

    The way back from the scores is a chain: a layer that joins two paths, as before a class token is taken, ends it.
    A map of the classes themselves is passed over, and one that a pool brings to a fixed number of cells.

    Args:
        model: a classifier of one class.
    """
    graph = _Tracer().trace(model.eval())
    _note_shapes(fx.GraphModule(model, graph))
    (node,) = (node for node in graph.nodes if node.op == "output")
    linear = None
    while len(sources := [source for source in node.all_input_nodes if source.op != "get_attr"]) == 1:
        (node,) = sources
        shape = node.meta.get("shape", ())
        if len(shape) == 4 and shape[1] > 1 < min(shape[2:]) and not _is_pool_to_size(model, node):
            return _cut(model, graph, node, linear)
        if node.op == "call_module" and linear is None and isinstance(model.get_submodule(str(node.target)), nn.Linear):
            linear = str(node.target)
    return None


def _is_pool_to_size(model: nn.Module, node: fx.Node) -> bool:
    return node.op == "call_module" and isinstance(model.get_submodule(str(node.target)), nn.AdaptiveAvgPool2d)


class _Shapes(fx.Interpreter):
    """Runs a graph and leaves the shape of every node's result on it."""

    def run_node(self, n: fx.Node) -> Any:
        result = super().run_node(n)
        n.meta["shape"] = tuple(getattr(result, "shape", ()))
        return result


@torch.no_grad()
def _note_shapes(traced: fx.GraphModule) -> None:
    """Leave shapes on the nodes, for the first picture that the network takes."""
    for side in SIDES:
        try:
            _Shapes(traced).run(torch.zeros(1, 3, side, side))
        except (RuntimeError, AssertionError):  # made for one size
            continue
        return


def _cut(model: nn.Module, graph: fx.Graph, node: fx.Node, linear: str | None) -> Front:
    """The graph up to ``node``."""
    for output in [other for other in graph.nodes if other.op == "output"]:
        graph.erase_node(output)
    with graph.inserting_after(node):
        graph.output(node)
    graph.eliminate_dead_code()
    is_permuted = node.op == "call_module" and isinstance(model.get_submodule(str(node.target)), Permute)
    return Front(fx.GraphModule(model, graph), linear, is_permuted)


class TorchvisionTrunk(Network):
    """A classifier of torchvision without pooling and class layer; its layers' names follow ``trunk.``."""

    released_base_words = ("trunk.",)
    torchvision_name: ClassVar[str]

    def __init__(self, options: TrunkOptions) -> None:
        """Make the trunk with torchvision's own first weights; its cells are as far apart as they are there."""
        super().__init__()
        name = f"`architecture`=torchvision:{self.torchvision_name}"
        if options.large_feature_map:
            raise UserError(f"`large_feature_map`: {name} keeps the cells that it has; choose a timm:NAME")
        front = front_of(whole_classifier(self.torchvision_name, 1))
        if front is None:
            raise UserError(f"{name} reads no map of several cells; take the like of it from timm, as timm:NAME")
        self.trunk, self.imagenet_classifier, self.is_permuted = front
        with torch.no_grad():
            layout = layout_of(self.trunk.eval(), channels=None, first_tokens=0, sides=SIDES)
        self.trunk.train()
        self.stock_architecture = f"torchvision:{self.torchvision_name}"
        self.channels, self.cell_stride = layout.channels, layout.stride
        self.usual_size, self.mean, self.std = input_of(self.torchvision_name)

    def features(self, images: Tensor) -> Tensor:
        """[B,3,H,W] -> [B,C,h,w], a cell every ``cell_stride`` pixels."""
        return self.trunk(images)

    @cached_property
    def cell_offset(self) -> float:
        """Measured on an untrained copy when first asked for, in seconds; of a transformer, a patch's middle.

        A trunk that does not take the pictures that it is measured by has windows, and counts as one.
        """
        if self.is_permuted:
            return (self.cell_stride - 1) / 2
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(0)
            copy: Any = front_of(whole_classifier(self.torchvision_name, 1))
        try:
            return measured_offset(copy.module.eval(), self.cell_stride)
        except (AssertionError, RuntimeError):  # one with windows, made for one size
            return (self.cell_stride - 1) / 2

    def whole(self, num_classes: int) -> nn.Module:
        """The classifier that the trunk is the front of."""
        return whole_classifier(self.torchvision_name, num_classes)

    def imagenet_state(self) -> tuple[dict[str, Tensor], str]:
        """torchvision's default weights, its classifier's among them, from torch.hub's folder or by download."""
        weights: Any = torchvision.models.get_model_weights(self.torchvision_name)["DEFAULT"]
        try:
            return weights.get_state_dict(progress=False, check_hash=True), f"torchvision:{weights}"
        except (OSError, RuntimeError) as error:
            raise UserError(
                f"torchvision's weights of {self.torchvision_name} cannot be fetched from {weights.url} ({error}): "
                "fetch that file elsewhere and name it with `pretrained_path`, or give `pretrained`=False"
            ) from error

    def renamed(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """torchvision's names behind ``trunk.``."""
        return {name if name.startswith("trunk.") else f"trunk.{name}": tensor for name, tensor in state.items()}


def trunk_of_torchvision(name: str) -> type[TorchvisionTrunk]:
    """The trunk of a classifier of torchvision."""
    return type("TorchvisionTrunk", (TorchvisionTrunk,), {"torchvision_name": name})
