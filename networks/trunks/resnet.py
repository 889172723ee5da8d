"""Residual trunks with the last one or two strides removed."""

from typing import ClassVar

from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock, Bottleneck

from calm.networks.network import GuidancePlaces, Network
from calm.networks.trunks.cells import cell_grid
from calm.networks.trunks.initialise import initialise
from calm.networks.trunks.options import TrunkOptions


class ResNet(Network):
    """ResNet up to layer4, at stride 16, or 8 with the large feature map; names as in torchvision."""

    new_layers = ("layer4",)
    imagenet_classifier = "fc"
    released_base_words = ("conv1", "layer1", "layer2", "layer3")

    block: ClassVar[type[BasicBlock] | type[Bottleneck]]
    """torchvision's BasicBlock or Bottleneck."""
    counts: ClassVar[tuple[int, int, int, int]]
    """Blocks in each of the four layers."""
    layer1: nn.Sequential
    layer2: nn.Sequential
    layer3: nn.Sequential
    layer4: nn.Sequential

    def __init__(self, options: TrunkOptions) -> None:
        """Lay the layers; only ``large_feature_map`` of the options matters."""
        super().__init__()
        strides = (1, 2, 1 if options.large_feature_map else 2, 1)
        self.conv1 = nn.Conv2d(3, 64, kernel_size=7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
        channels = 64
        for number, (count, stride) in enumerate(zip(self.counts, strides), start=1):
            width = 32 * 2**number
            setattr(self, f"layer{number}", residual_layer(self.block, channels, width, count, stride))
            channels = width * self.block.expansion
        self.channels = channels
        third = 32 * 2**3 * self.block.expansion
        self.dropout_places = {"layer3.0": third, "layer4.0": channels, f"layer4.{self.counts[3] - 1}": channels}
        self.guidance_places = GuidancePlaces("layer3.0", third, f"layer3.{self.counts[2] - 1}", third, width=third)
        self.cell_stride, self.cell_offset = cell_grid([(7, 2, 3), (3, 2, 1), *((3, stride, 1) for stride in strides)])
        initialise(self)

    def features(self, images: Tensor) -> Tensor:
        """[B,3,H,W] -> [B,C,H/16,W/16], or /8 with the large feature map."""
        stem = self.maxpool(self.relu(self.bn1(self.conv1(images))))
        return self.layer4(self.layer3(self.layer2(self.layer1(stem))))


def residual_layer(
    block: type[BasicBlock] | type[Bottleneck], channels: int, width: int, count: int, stride: int
) -> nn.Sequential:
    """``count`` blocks from ``channels`` to ``width * block.expansion`` channels; the first has the stride."""
    outputs = width * block.expansion
    shortcut = None
    if stride != 1 or channels != outputs:
        shortcut = nn.Sequential(nn.Conv2d(channels, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
    first = block(channels, width, stride, shortcut)
    return nn.Sequential(first, *(block(outputs, width) for _ in range(count - 1)))


class ResNet50(ResNet):
    """Bottlenecks 3, 4, 6, 3: 2048 channels."""

    block, counts, imagenet_entry = Bottleneck, (3, 4, 6, 3), "resnet50"
    stock_architecture = "torchvision:resnet50"


class ResNet18(ResNet):
    """Basic blocks 2, 2, 2, 2: 512 channels; for small machines."""

    block, counts, imagenet_entry = BasicBlock, (2, 2, 2, 2), "resnet18"
    stock_architecture = "torchvision:resnet18"
