"""The base of every network: a trunk's features, then the branches g and h, then a head."""

import torch
from torch import Tensor, nn

from calm.networks.losses import METHODS
from calm.networks.outputs import CalmOutput, CamOutput

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class Network(nn.Module):
    """Images -> CamOutput or CalmOutput. A trunk subclasses it, fills in its layers and ``features``.

    Trunk and branches share one flat name space (``conv1.weight``, ``conv_last.weight``, ``attention.0.weight``),
    which is that of the published checkpoints.
    """

    mean: tuple[float, float, float] = IMAGENET_MEAN
    """Input mean per RGB channel, in units where white is 1."""
    std: tuple[float, float, float] = IMAGENET_STD
    new_layers: tuple[str, ...] = ()
    """Modules of the trunk that learn at the higher rate, beside the two branches."""
    unpublished_layers: tuple[str, ...] = ()
    """Modules of the trunk that no file of ImageNet weights holds."""
    released_base_words: tuple[str, ...] = ()
    """Words in the names of the parameters that the released code trains at the base rate."""
    draw_weight = staticmethod(nn.init.xavier_uniform_)
    """How the first weights of a new convolution are drawn, in place."""
    architecture: str
    """Name under which the trunk was built."""
    channels: int
    """C, the number of feature channels."""

    def features(self, images: Tensor) -> Tensor:
        """[B,3,H,W] normalised images -> [B,C,h,w] features."""
        raise NotImplementedError

    def add_branches(self, channels: int, num_classes: int, method: str, **head_options) -> None:
        """Append g (``conv_last``) and h (``attention``), two 1x1 convolutions, and the head of ``method``.

        CAM networks carry h too, since published CAM checkpoints do, but never use or train it.
        """
        self.method = method
        self.num_classes = num_classes
        self.channels = channels
        self.conv_last = nn.Conv2d(channels, num_classes, kernel_size=1)
        self.attention = nn.Sequential(nn.Conv2d(channels, 1, kernel_size=1))
        head, _ = METHODS[method]
        self.head = head(**head_options)
        if not self.head.uses_prior:
            self.attention.requires_grad_(False)

    def read_out(self, features: Tensor) -> CamOutput | CalmOutput:
        """[B,C,h,w] features -> output; the head works in float32, also under autocast."""
        class_logits = self.conv_last(features)
        branches = (class_logits, self.attention(features)) if self.head.uses_prior else (class_logits,)
        with torch.autocast(features.device.type, enabled=False):
            return self.head(*branches)

    def forward(self, images: Tensor) -> CamOutput | CalmOutput:
        """[B,3,H,W] normalised images -> output."""
        return self.read_out(self.features(images))
