"""VGG-16 without its classifier, one more convolution in its place."""

from collections.abc import Mapping
from typing import cast

import torch.nn.functional as F
from torch import Tensor, nn

from calm.networks.network import GuidancePlaces, Network
from calm.networks.trunks.cells import cell_grid
from calm.networks.trunks.initialise import he_fan_out, initialise
from calm.networks.trunks.options import TrunkOptions

BLOCKS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
"""Channels of VGG-16's convolutions, block by block."""


CONVOLUTION, POOL, WIDE_POOL, STANDING_POOL = (3, 1, 1), (2, 2, 0), (3, 2, 1), (3, 1, 1)
"""Kernel, stride and padding."""


def pools_of(layout: str, *, large_feature_map: bool) -> tuple[tuple[int, int, int] | None, ...]:
    """The pool behind each of the five blocks; None for none. With the large feature map the fourth does not shrink."""
    if layout == "acol":
        return (WIDE_POOL, WIDE_POOL, WIDE_POOL, STANDING_POOL if large_feature_map else WIDE_POOL, STANDING_POOL)
    fourth = WIDE_POOL if layout == "spg" else POOL
    return (POOL, POOL, POOL, None if large_feature_map else fourth, None)


class Vgg16(Network):
    """Convolutions of VGG-16, pooled after blocks 1 to 4 (1 to 3 with the large feature map), then new layers.

    These are conv6 with 1024 channels. The layout "acol" has wider pools, one after block 5 too, and a mean over 3x3
    cells in place of conv6; "spg" has a wider fourth pool and two convolutions of 512 channels, ``SPG_A_3``.
    """

    new_layers = unpublished_layers = ("conv6", "bn6")
    released_base_words = ("features.",)
    draw_weight = staticmethod(he_fan_out)

    def __init__(self, options: TrunkOptions) -> None:
        """Lay the layers; all options but the tap matter."""
        super().__init__()
        self.large_feature_map = options.large_feature_map
        self.pools = pools_of(options.layout, large_feature_map=options.large_feature_map)
        self.use_bn = options.use_bn
        self.add_blocks(options.use_bn)
        self.add_last_layers(options.layout)
        self.imagenet_entry = "vgg16_bn" if options.use_bn else "vgg16"
        windows = [window for pool in self.pools for window in (CONVOLUTION, pool) if window]
        self.cell_stride, self.cell_offset = cell_grid(windows)
        initialise(self, self.draw_weight)

    @classmethod
    def use_bn_of(cls, state: Mapping[str, Tensor]) -> bool:
        """Whether the state dict has the batch norm of the first block."""
        return "features.1.running_mean" in state

    def add_blocks(self, use_bn: bool) -> None:
        """Register the five blocks as ``features``: published weights need that name, which is also our method's."""
        layers: list[nn.Module] = []
        last_relu, last_of_block, channels = [], [], 3
        for block, pool in zip(BLOCKS, self.pools):
            for width in block:
                norm = [nn.BatchNorm2d(width)] if use_bn else []
                layers += [nn.Conv2d(channels, width, 3, padding=1), *norm, nn.ReLU(inplace=True)]
                channels = width
            last_relu.append(f"features.{len(layers) - 1}")
            layers += [nn.MaxPool2d(*pool)] if pool else []
            last_of_block.append(f"features.{len(layers) - 1}")
        self._modules["features"] = nn.Sequential(*layers)
        self.dropout_places = {last_of_block[2]: BLOCKS[2][-1], last_relu[3]: channels, last_relu[4]: channels}
        self.guidance_places = GuidancePlaces(last_of_block[3], channels, last_relu[4], channels, width=channels)

    def add_last_layers(self, layout: str) -> None:
        """What stands behind the blocks; see the class."""
        self.layout = layout
        if layout == "acol":
            self.channels, self.new_layers, self.unpublished_layers = 512, (), ()
            self.mean_pool = nn.AvgPool2d(3, stride=1, padding=1)
        elif layout == "spg":
            self.channels, self.new_layers, self.unpublished_layers = 512, ("SPG_A_3",), ("SPG_A_3",)
            first, second = (nn.Conv2d(512, 512, 3, padding=1) for _ in range(2))
            self.SPG_A_3 = nn.Sequential(first, nn.ReLU(inplace=True), second, nn.ReLU(inplace=True))
        else:
            self.channels = 1024
            self.conv6 = nn.Conv2d(512, self.channels, kernel_size=3, padding=1)
            self.bn6 = nn.BatchNorm2d(self.channels) if self.use_bn else None

    def features(self, images: Tensor) -> Tensor:
        """[B,3,H,W] -> [B,C,H/16,W/16], or /8 with the large feature map."""
        x = cast(nn.Sequential, self._modules["features"])(images)
        if self.layout == "acol":
            return self.mean_pool(x)
        if self.layout == "spg":
            return self.SPG_A_3(x)
        conv6 = self.conv6(x)
        return F.relu(conv6 if self.bn6 is None else self.bn6(conv6))

    def renamed(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Names as this trunk counts its layers: without the fourth pool, torchvision's ``features.N`` after it is N-1.

        Running statistics move too. A state dict that counts as this trunk does already is left as it is.
        """
        convolutions = sum(len(block) for block in BLOCKS[:4])
        pool = 3 + convolutions * (3 if self.use_bn else 2)
        if self.pools[3] or f"features.{pool}.weight" in state:
            return dict(state)
        moved = {}
        for name, tensor in state.items():
            words = name.split(".")
            if words[0] == "features" and int(words[1]) > pool:
                words[1] = str(int(words[1]) - 1)
            moved[".".join(words)] = tensor
        return moved
