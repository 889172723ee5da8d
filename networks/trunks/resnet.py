"""Residual trunks with the last one or two strides removed."""

from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock, Bottleneck

from calm.networks.network import Network
from calm.networks.trunks.initialise import initialise
from calm.networks.trunks.options import TrunkOptions


class ResNet(Network):
    """ResNet up to layer4, at stride 16, or 8 with the large feature map; names as in torchvision."""

    new_layers = ("layer4",)
    released_base_words = ("conv1", "layer1", "layer2", "layer3")

    def __init__(self, options: TrunkOptions, *, block: type[nn.Module], counts: tuple[int, int, int, int]) -> None:
        """Lay the layers.

        Args:
            options: only ``large_feature_map`` matters.
            block: torchvision's BasicBlock or Bottleneck.
            counts: blocks in each of the four layers.
        """
        super().__init__()
        strides = (1, 2, 1 if options.large_feature_map else 2, 1)
        self.conv1 = nn.Conv2d(3, 64, kernel_size=7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
        channels = 64
        for number, (count, stride) in enumerate(zip(counts, strides), start=1):
            width = 32 * 2**number
            setattr(self, f"layer{number}", residual_layer(block, channels, width, count, stride))
            channels = width * block.expansion
        self.channels = channels
        initialise(self)

    def features(self, images: Tensor) -> Tensor:
        """[B,3,H,W] -> [B,C,H/16,W/16], or /8 with the large feature map."""
        stem = self.maxpool(self.relu(self.bn1(self.conv1(images))))
        return self.layer4(self.layer3(self.layer2(self.layer1(stem))))


def residual_layer(block: type[nn.Module], channels: int, width: int, count: int, stride: int) -> nn.Sequential:
    """``count`` blocks from ``channels`` to ``width * block.expansion`` channels; the first has the stride."""
    outputs = width * block.expansion
    shortcut = None
    if stride != 1 or channels != outputs:
        shortcut = nn.Sequential(nn.Conv2d(channels, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
    first = block(channels, width, stride, shortcut)
    return nn.Sequential(first, *(block(outputs, width) for _ in range(count - 1)))


def resnet50(options: TrunkOptions) -> ResNet:
    """Bottlenecks 3, 4, 6, 3: 2048 channels."""
    return ResNet(options, block=Bottleneck, counts=(3, 4, 6, 3))


def resnet18(options: TrunkOptions) -> ResNet:
    """Basic blocks 2, 2, 2, 2: 512 channels; for small machines."""
    return ResNet(options, block=BasicBlock, counts=(2, 2, 2, 2))
