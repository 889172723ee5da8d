"""VGG-16 without its classifier, one more convolution in its place."""

from collections.abc import Mapping
from typing import cast

import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models.vgg import make_layers

from calm.networks.network import Network
from calm.networks.trunks.cells import cell_grid
from calm.networks.trunks.initialise import he_fan_out, initialise
from calm.networks.trunks.options import TrunkOptions

BLOCKS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
"""Channels of VGG-16's convolutions, block by block."""


class Vgg16(Network):
    """Convolutions of VGG-16, pooled after blocks 1 to 4 (1 to 3 with the large feature map), then conv6."""

    new_layers = unpublished_layers = ("conv6", "bn6")
    released_base_words = ("features.",)
    draw_weight = staticmethod(he_fan_out)

    def __init__(self, options: TrunkOptions) -> None:
        """Lay the layers; ``large_feature_map`` and ``use_bn`` of the options matter."""
        super().__init__()
        self.channels = 1024
        self.large_feature_map = options.large_feature_map
        plan = layer_plan(large_feature_map=options.large_feature_map)
        self.add_blocks(make_layers(plan, options.use_bn))
        self.conv6 = nn.Conv2d(512, self.channels, kernel_size=3, padding=1)
        self.bn6 = nn.BatchNorm2d(self.channels) if options.use_bn else None
        self.imagenet_entry = "vgg16_bn" if options.use_bn else "vgg16"
        self.cell_stride, self.cell_offset = cell_grid((2, 2, 0) if layer == "M" else (3, 1, 1) for layer in plan)
        initialise(self, self.draw_weight)

    @classmethod
    def use_bn_of(cls, state: Mapping[str, Tensor]) -> bool:
        """Whether the state dict has the batch norm of conv6."""
        return "bn6.weight" in state

    def add_blocks(self, blocks: nn.Sequential) -> None:
        """Register ``blocks`` as ``features``: published weights need that name, which is also our method's."""
        self._modules["features"] = blocks

    def features(self, images: Tensor) -> Tensor:
        """[B,3,H,W] -> [B,1024,H/16,W/16], or /8 with the large feature map."""
        blocks = cast(nn.Sequential, self._modules["features"])
        conv6 = self.conv6(blocks(images))
        return F.relu(conv6 if self.bn6 is None else self.bn6(conv6))

    def renamed(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Names as this trunk counts its layers: without the fourth pool, torchvision's ``features.N`` after it is N-1.

        Running statistics move too. A state dict that counts as this trunk does already is left as it is.
        """
        convolutions = sum(len(block) for block in BLOCKS[:4])
        pool = 3 + convolutions * (2 if self.bn6 is None else 3)
        if not self.large_feature_map or f"features.{pool}.weight" in state:
            return dict(state)
        moved = {}
        for name, tensor in state.items():
            words = name.split(".")
            if words[0] == "features" and int(words[1]) > pool:
                words[1] = str(int(words[1]) - 1)
            moved[".".join(words)] = tensor
        return moved


def layer_plan(*, large_feature_map: bool) -> list[int | str]:
    """Channels of each convolution in order, "M" where a 2x2 max-pool stands: torchvision's notation."""
    pooled = 3 if large_feature_map else 4
    plan: list[int | str] = []
    for number, block in enumerate(BLOCKS, start=1):
        plan += [*block, "M"] if number <= pooled else block
    return plan
