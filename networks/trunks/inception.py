"""Inception-v3 up to its 17x17 blocks, kept at stride 16 or 8, then two plain convolutions."""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models.inception import BasicConv2d, InceptionA, InceptionC

from calm.errors import UserError
from calm.networks.network import GuidancePlaces, Network
from calm.networks.trunks.cells import cell_grid
from calm.networks.trunks.initialise import initialise
from calm.networks.trunks.options import TrunkOptions


class Mixed6a(nn.Module):
    """torchvision's InceptionB with stride 1 and padding 1 in place of stride 2: the map keeps its size."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.branch3x3 = BasicConv2d(channels, 384, kernel_size=3, padding=1)
        self.branch3x3dbl_1 = BasicConv2d(channels, 64, kernel_size=1)
        self.branch3x3dbl_2 = BasicConv2d(64, 96, kernel_size=3, padding=1)
        self.branch3x3dbl_3 = BasicConv2d(96, 96, kernel_size=3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """[B,C,h,w] -> [B,480+C,h,w]."""
        double = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch3x3(x), double, F.max_pool2d(x, 3, stride=1, padding=1)], dim=1)


STEM = ((3, 2, 1), (3, 1, 0), (3, 1, 1), (3, 2, 1), (1, 1, 0), (3, 1, 0), (3, 2, 1))
"""Kernel, stride and padding of the layers before Mixed_5b; only the third pool after it moves the cells again."""


class InceptionV3(Network):
    """Inception-v3; block names as in torchvision, A3 names as in the published checkpoints.

    1024 channels; 768 in the layout "acol", which ends with torchvision's own blocks.
    """

    new_layers = unpublished_layers = ("A3_1b", "A3_2b")
    released_base_words = ("Mixed", "Conv2d_")
    imagenet_entry = "inception_v3"
    takes_head_dropout = True

    def __init__(self, options: TrunkOptions) -> None:
        """Lay the layers; all options matter. Without Mixed_6e in the path its weights are kept, but frozen."""
        super().__init__()
        self.has_new_blocks = options.layout != "acol"
        self.channels = 1024 if self.has_new_blocks else 768
        self.large_feature_map = options.large_feature_map
        self.head_dropout = options.head_dropout
        self.tap_after_6e = options.inception_tap == "mixed_6e"
        self.Conv2d_1a_3x3 = BasicConv2d(3, 32, kernel_size=3, stride=2, padding=1)
        self.Conv2d_2a_3x3 = BasicConv2d(32, 32, kernel_size=3)
        self.Conv2d_2b_3x3 = BasicConv2d(32, 64, kernel_size=3, padding=1)
        self.Conv2d_3b_1x1 = BasicConv2d(64, 80, kernel_size=1)
        self.Conv2d_4a_3x3 = BasicConv2d(80, 192, kernel_size=3)
        self.Mixed_5b = InceptionA(192, pool_features=32)
        self.Mixed_5c = InceptionA(256, pool_features=64)
        self.Mixed_5d = InceptionA(288, pool_features=64)
        self.Mixed_6a = Mixed6a(288)
        self.Mixed_6b = InceptionC(768, channels_7x7=128)
        self.Mixed_6c = InceptionC(768, channels_7x7=160)
        self.Mixed_6d = InceptionC(768, channels_7x7=160)
        self.Mixed_6e = InceptionC(768, channels_7x7=192).requires_grad_(self.tap_after_6e)
        self.third_pool = nn.MaxPool2d(3, stride=2, ceil_mode=True) if not self.large_feature_map else nn.Identity()
        last = "Mixed_6e" if self.tap_after_6e else "Mixed_6d"
        if self.has_new_blocks:
            self.A3_1b = plain_block(768, self.channels, use_bn=options.use_bn)
            self.A3_2b = plain_block(self.channels, self.channels, use_bn=options.use_bn)
            self.dropout_places = {"Mixed_5d": 288, last: 768, "A3_2b": self.channels}
        else:
            if options.head_dropout:
                raise UserError(
                    f"`head_dropout`={options.head_dropout}: ACoL's inception_v3 has no layers that it precedes"
                )
            self.new_layers = self.unpublished_layers = ()
            self.dropout_places = {"Mixed_5d": 288, last: 768}
        self.guidance_places = GuidancePlaces("third_pool", 288, last, 768, width=512)
        self.cell_stride, self.cell_offset = cell_grid(STEM if self.large_feature_map else (*STEM, (3, 2, 0)))
        initialise(self)

    @classmethod
    def use_bn_of(cls, state: Mapping[str, Tensor]) -> bool:
        """Whether the state dict has the batch norm of A3_1b."""
        return "A3_1b.1.weight" in state

    def features(self, images: Tensor) -> Tensor:
        """[B,3,H,W] -> [B,C,H/16,W/16], or /8 with the large feature map (H, W divisible by 16 and not small)."""
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(images)))
        x = F.max_pool2d(x, 3, stride=2, padding=1, ceil_mode=True)
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(x))
        x = F.max_pool2d(x, 3, stride=2, padding=1, ceil_mode=True)
        x = self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(x)))
        x = self.Mixed_6d(self.Mixed_6c(self.Mixed_6b(self.Mixed_6a(self.third_pool(x)))))
        if self.tap_after_6e:
            x = self.Mixed_6e(x)
        return self.drop(self.A3_2b(self.drop(self.A3_1b(self.drop(x))))) if self.has_new_blocks else x

    def drop(self, x: Tensor) -> Tensor:
        """Dropout before a new convolution; after the last block it stands before the head's own."""
        return F.dropout(x, self.head_dropout, self.training) if self.head_dropout else x


def plain_block(channels: int, outputs: int, *, use_bn: bool) -> nn.Sequential:
    """3x3 convolution with bias, batch norm where asked for, ReLU."""
    norm = [nn.BatchNorm2d(outputs)] if use_bn else []
    return nn.Sequential(nn.Conv2d(channels, outputs, 3, padding=1), *norm, nn.ReLU(inplace=True))
