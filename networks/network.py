"""The base of every network: a trunk's features, then the layers of a head."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import ClassVar, NamedTuple, Self

import torch
from torch import Tensor, nn

from calm.errors import UserError
from calm.networks.heads import Head
from calm.networks.outputs import Output, check_finite
from calm.networks.published import fetch_torchvision
from calm.networks.shared_features import features_of
from calm.networks.weight_files import read_state

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class GuidancePlaces(NamedTuple):
    """Where SPG's side branches stand: two modules of a trunk, by name, and the channels of their outputs."""

    first: str
    first_channels: int
    second: str
    second_channels: int
    width: int
    """Channels inside both branches."""


class Network(nn.Module):
    """Images -> output. A trunk subclasses it, states the facts below, lays its layers and fills in ``features``.

    It is constructed from ``TrunkOptions`` alone. Trunk and head share one flat name space (``conv1.weight``,
    ``conv_last.weight``, ``attention.0.weight``), which is that of the published checkpoints.
    """

    mean: tuple[float, float, float] = IMAGENET_MEAN
    """Input mean per RGB channel, in units where white is 1."""
    std: tuple[float, float, float] = IMAGENET_STD
    new_layers: tuple[str, ...] = ()
    """Modules of the trunk that learn at the higher rate, beside the head's layers."""
    unpublished_layers: tuple[str, ...] = ()
    """Modules of the trunk that no file of ImageNet weights holds."""
    released_base_words: ClassVar[tuple[str, ...]] = ()
    """Words in the names of the parameters that the released code trains at the base rate."""
    draw_weight: Callable[[Tensor], object] = staticmethod(nn.init.xavier_uniform_)
    """How the first weights of a new convolution are drawn, in place."""
    imagenet_entry: str | None = None
    """The zoo's name of the usual ImageNet weights; None where there are none, or others for ``imagenet_state``."""
    stock_architecture: str | None = None
    """Under what name the stock classifier's weights keep its scores, for which the trunk needs its strides."""
    dropout_places: Mapping[str, int] = MappingProxyType({})
    """Modules behind which ADL's layer stands in training, from the first to the last -> channels of their outputs."""
    imagenet_classifier: str | None = None
    """Linear layer of the ImageNet weights, for means of the trunk's features; None where theirs reads others."""
    usual_size: int = 224
    """Side of the images, in pixels, on which the ImageNet weights were trained."""
    takes_head_dropout: ClassVar[bool] = False
    """Whether it has use for the option ``head_dropout``."""
    guidance_places: GuidancePlaces | None = None
    """Modules on which SPG's side branches stand."""
    frozen: tuple[str, ...] = ()
    """Modules of the trunk that do not learn and stay in evaluation mode."""
    must_be_finite = True
    """Whether outputs in evaluation mode are checked."""
    architecture: str
    """Name under which the trunk was built."""
    method: str
    """Name of the training method whose head it carries."""
    channels: int
    """C, the number of feature channels."""
    conv_last: nn.Conv2d
    """The class branch g, of heads that have it."""
    attention: nn.Module
    """The prior branch h, of heads that have it."""
    cell_stride: int
    """Pixels of the input between the centres of neighbouring cells of the features."""
    cell_offset: float
    """Pixel, counted from 0 at the centre of the first, on which the receptive field of the first cell is centred."""

    @classmethod
    def use_bn_of(cls, state: Mapping[str, Tensor]) -> bool | None:
        """``use_bn`` of a network with this state dict; None where the trunk has no use for the option."""
        return None

    def imagenet_state(self) -> tuple[dict[str, Tensor], str]:
        """ImageNet weights from their usual source under the source's names, and where they are from.

        Raises:
            UserError: there are none, or they cannot be had.
        """
        if self.imagenet_entry is None:
            raise UserError(f"{self.architecture} has no published ImageNet weights: give `pretrained`=False")
        path = fetch_torchvision(self.imagenet_entry)
        return read_state(path), str(path)

    def whole(self, num_classes: int) -> nn.Module:
        """The stock classifier with first weights, of trunks that state ``stock_architecture``."""
        raise NotImplementedError

    def renamed(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """A state dict with a source's names under the names of this trunk."""
        return dict(state)

    def features(self, images: Tensor) -> Tensor:
        """[B,3,H,W] normalised images -> [B,C,h,w] features."""
        raise NotImplementedError

    def add_head(self, head: Head, num_classes: int) -> None:
        """Append the layers of ``head``, under the names it gives them."""
        self.head = head
        self.num_classes = num_classes
        head.fit(self)
        layers = head.layers(self.channels, num_classes)
        self.head_layers = tuple(layers)
        for name, layer in layers.items():
            self.add_module(name, layer)

    def freeze_trunk(self) -> None:
        """Fix the trunk's weights and batch-norm statistics, but for layers that no ImageNet weights hold."""
        learning = (*self.head_layers, *self.unpublished_layers)
        for name, parameter in self.named_parameters():
            if name.split(".")[0] not in learning:
                parameter.requires_grad_(False)
        self.frozen = tuple(name for name, _ in self.named_children() if name not in learning)
        self.train(self.training)

    def train(self, mode: bool = True) -> Self:
        """As of every module; what is frozen stays in evaluation mode."""
        super().train(mode)
        for name in self.frozen:
            self.get_submodule(name).eval()
        return self

    def read_out(self, features: Tensor, *, images: Tensor | None = None, targets: Tensor | None = None) -> Output:
        """[B,C,h,w] features -> output; see ``Head.read`` for images [B,3,H,W] and targets [B].

        Under autocast, which is the trunk's, the head works in the type of its weights, float32 where nobody cast them.

        Raises:
            NotFinite: in evaluation mode, an output with a NaN or an infinity; a compiled network does not look.
        """
        device = features.device.type
        if torch.is_autocast_enabled(device):
            features = features.to(next(self.get_submodule(self.head_layers[0]).parameters()).dtype)
        with torch.autocast(device, enabled=False):
            output = self.head.read(self, features, images=images, targets=targets)
        if self.must_be_finite and not self.training and not torch.compiler.is_compiling():
            check_finite(output)
        return output

    def forward(self, images: Tensor, targets: Tensor | None = None) -> Output:
        """[B,3,H,W] normalised images -> output; targets [B] matter in training, and for some methods only."""
        return self.read_out(features_of(self, images), images=images, targets=targets)
