"""Any network of timm that gives a map or tokens, as a trunk: convolutions at stride 16 or 8, others at their own."""

from collections.abc import Mapping
from contextlib import suppress
from functools import cached_property
from importlib import import_module
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from calm.errors import UserError
from calm.networks.network import GuidancePlaces, Network
from calm.networks.trunks.cells import measured_offset
from calm.networks.trunks.feature_maps import Layout, as_map, last_of, layout_of, reason_of
from calm.networks.trunks.options import TrunkOptions
from calm.networks.trunks.timm_models import MISFITS, Way, create, own_features, pretrained_model, timm_name, ways
from calm.networks.weight_files import is_counter

PROBE_SIZES = (64, 224)
"""Sides of the pictures, in pixels, that show a new trunk's features where it takes pictures of any size."""
MEASURED_SIZE = 384
"""Side of the pictures by which it is measured where a cell looks, if the trunk takes them."""


class TimmTrunk(Network):
    """A timm network without its classifier; its layers' names follow ``trunk.``."""

    released_base_words = ("trunk.",)
    timm_name: ClassVar[str]
    """What stands behind ``timm:``."""
    trunk: Any
    """The network that timm makes."""

    def __init__(self, options: TrunkOptions) -> None:
        """Make the trunk with timm's own first weights; ``large_feature_map`` and ``image_size`` matter."""
        super().__init__()
        self.made = timm_name(self.timm_name)
        self.image_size = options.image_size
        self.trunk, self.way, self.layout = self.build(options)
        self.channels, self.cell_stride = self.layout.channels, self.layout.stride
        self.mean = tuple(self.trunk.pretrained_cfg["mean"])
        self.std = tuple(self.trunk.pretrained_cfg["std"])
        self.usual_size = int(self.trunk.pretrained_cfg["input_size"][-1])
        self.imagenet_classifier = classifier_of(self.trunk)
        self.stock_architecture = f"timm:{self.timm_name}" + (",output_stride=32" if self.way.stride else "")
        self.freeze_unused()
        if self.layout.is_convolutional:
            self.dropout_places, self.guidance_places = stage_places(self.trunk)

    def build(self, options: TrunkOptions) -> tuple[Any, Way, Layout]:
        """The network, the first way to its features that it goes, and what it gives.

        Raises:
            UserError: it goes none of them, with what stands against the first that timm makes at all.
        """
        unbuilt, refusal = "", ""
        for way in ways(self.made, large_feature_map=options.large_feature_map, image_size=options.image_size):
            try:
                model = create(self.made, **way.options).eval()
            except MISFITS as error:
                unbuilt = unbuilt or f"cannot be built ({reason_of(error)})"
                continue
            try:
                return model, way, self.seen(model, way)
            except UserError as error:
                refusal = refusal or str(error)
        wish = "`large_feature_map`: " if options.large_feature_map else ""
        size = "" if options.image_size is None else f" for `crop_size`={options.image_size}"
        raise UserError(f"{wish}`architecture`=timm:{self.timm_name}{size} {refusal or unbuilt}; choose another")

    @torch.no_grad()
    def seen(self, model: Any, way: Way) -> Layout:
        """What pictures show of ``model``; a ``UserError`` where the way leads to no features, or to others."""
        own_size = int(model.pretrained_cfg["input_size"][-1])
        facts = {
            "channels": getattr(model, "num_features", None),
            "first_tokens": getattr(model, "num_prefix_tokens", 0),
            "sides": tuple(dict.fromkeys((*PROBE_SIZES, self.image_size or own_size, own_size))),
        }
        layout = layout_of(lambda images: way.features(model, images), **facts)
        if way.stride not in (None, layout.stride):
            raise UserError(f"has cells of {layout.stride} pixels, not {way.stride}")
        if way.is_finer and layout.stride >= layout_of(lambda images: own_features(model, images), **facts).stride:
            raise UserError(f"has cells of {layout.stride} pixels and no finer ones")
        if self.image_size is not None:
            try:
                way.features(model, torch.zeros(1, 3, self.image_size, self.image_size))
            except (AssertionError, RuntimeError, ValueError) as error:
                raise UserError(f"takes no images of that size ({reason_of(error)})") from error
        return layout

    def features(self, images: Tensor) -> Tensor:
        """[B,3,H,W] -> [B,C,h,w], a cell every ``cell_stride`` pixels."""
        height, width = images.shape[2:]
        try:
            return as_map(self.way.features(self.trunk, images), self.layout, (height, width))
        except (AssertionError, RuntimeError) as error:
            if {height, width} <= {self.layout.side, self.image_size}:
                raise  # it takes this size, so that something else is wrong
            raise UserError(
                f"`crop_size`: `architecture`=timm:{self.timm_name} takes no images of {height} x {width} pixels "
                f"({reason_of(error)})"
            ) from error

    def freeze_unused(self) -> None:
        """No gradient for what lies behind the features, such as a classifier's own layers."""
        parameters = list(self.trunk.parameters())
        self.trunk.eval()
        with torch.enable_grad():
            features = self.features(torch.zeros(1, 3, self.layout.side, self.layout.side))
            gradients = torch.autograd.grad(features.sum(), parameters, allow_unused=True)
        self.trunk.train()
        for parameter, gradient in zip(parameters, gradients):
            parameter.requires_grad_(gradient is not None)

    @cached_property
    def cell_offset(self) -> float:
        """The middle of a patch, or of a convolution measured on an untrained copy at first, which takes seconds."""
        if not self.layout.is_convolutional:
            return (self.cell_stride - 1) / 2
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(0)
            copy = create(self.made, **self.way.options).eval()

        def features(images: Tensor) -> Tensor:
            return last_of(self.way.features(copy, images))  # a feature extractor gives a list

        for side in (MEASURED_SIZE, self.image_size or self.layout.side):
            try:
                return measured_offset(features, self.cell_stride, side=side)
            except (AssertionError, RuntimeError, ValueError):
                continue  # it takes one size only
        return (self.cell_stride - 1) / 2

    def whole(self, num_classes: int) -> nn.Module:
        """The classifier that the trunk is the front of, where the trunk has its strides."""
        options: dict[str, Any] = {**self.way.options, "num_classes": num_classes}
        return create(self.made, **options)

    def imagenet_state(self) -> tuple[dict[str, Tensor], str]:
        """timm's own pretrained weights, its classifier's among them, from the cache of its hub or by download."""
        options = {name: value for name, value in self.way.options.items() if name != "num_classes"}
        return pretrained_model(self.made, **options).state_dict(), f"timm:{self.timm_name}"

    def renamed(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """timm's names behind ``trunk.``; position embeddings and windows are fitted to our size, as timm does it."""
        state = {name.removeprefix("trunk."): tensor for name, tensor in state.items()}
        wanted = {name: tensor for name, tensor in self.trunk.state_dict().items() if not is_counter(name)}
        convert = getattr(import_module(type(self.trunk).__module__), "checkpoint_filter_fn", None)
        if convert and not all(name in state and state[name].shape == wanted[name].shape for name in wanted):
            with suppress(*MISFITS):  # weights of another network: the comparison of names and shapes will say so
                state = dict(convert(state, self.trunk))
        return {f"trunk.{name}": tensor for name, tensor in state.items()}


def trunk_of_timm(name: str) -> type[TimmTrunk]:
    """The trunk of a timm network."""
    return type("TimmTrunk", (TimmTrunk,), {"timm_name": name})


def classifier_of(model: Any) -> str | None:
    """Name of the linear layer that timm states; None for several."""
    name = model.pretrained_cfg.get("classifier")
    return name if isinstance(name, str) else None


def stage_places(trunk: Any) -> tuple[dict[str, int], GuidancePlaces | None]:
    """Where ADL and SPG stand: behind the last two of timm's stages, and the last but two and but one. Our choice.

    Nothing where timm does not name at least three stages.
    """
    stages = getattr(trunk, "feature_info", None)
    if not isinstance(stages, list) or len(stages) < 3:
        return {}, None
    last_three = [(f"trunk.{stage['module']}", stage["num_chs"]) for stage in stages[-3:]]
    first, second = last_three[:2]
    return dict(last_three[1:]), GuidancePlaces(*first, *second, width=second[1])
