"""Any convolutional network of timm as a trunk, at the output stride CALM needs."""

import timm
import torch
from torch import Tensor, nn

from calm.errors import UserError
from calm.networks.network import Network
from calm.networks.trunks.options import TrunkOptions

PROBE_SIZE = 64
"""Side of the picture, in pixels, that shows a new trunk's feature shape."""


class TimmTrunk(Network):
    """A timm network without pooling and classifier; its layers' names follow ``trunk.``."""

    released_base_words = ("trunk.",)

    def __init__(self, options: TrunkOptions, *, timm_name: str) -> None:
        """Make the trunk with timm's own first weights.

        Args:
            options: only ``large_feature_map`` matters: output stride 8 instead of 16.
            timm_name: a name timm knows, tag allowed ("convnext_atto.d2_in1k").
        """
        super().__init__()
        self.timm_name = timm_name
        self.output_stride = 8 if options.large_feature_map else 16
        self.trunk = create_trunk(timm_name, self.output_stride)
        self.mean = tuple(self.trunk.pretrained_cfg["mean"])
        self.std = tuple(self.trunk.pretrained_cfg["std"])
        self.channels = self.probe()

    def features(self, images: Tensor) -> Tensor:
        """[B,3,H,W] -> [B,C,H/16,W/16], or /8 with the large feature map."""
        return trunk_features(self.trunk, images)

    def probe(self) -> int:
        """Run one small picture: return C, and freeze what lies behind the features (a classifier's own layers)."""
        parameters = list(self.trunk.parameters())
        self.trunk.eval()
        with torch.enable_grad():
            features = self.features(torch.zeros(1, 3, PROBE_SIZE, PROBE_SIZE))
            gradients = torch.autograd.grad(features.sum(), parameters, allow_unused=True)
        self.trunk.train()
        side = PROBE_SIZE // self.output_stride
        if features.ndim != 4 or features.shape[2:] != (side, side):
            raise UserError(
                f"--architecture timm:{self.timm_name} gives features of shape {tuple(features.shape[1:])}, "
                f"not a C x {side} x {side} map for {PROBE_SIZE} pixels: choose a CNN that honours output_stride"
            )
        for parameter, gradient in zip(parameters, gradients):
            parameter.requires_grad_(gradient is not None)
        return features.shape[1]


def trunk_features(trunk: nn.Module, images: Tensor) -> Tensor:
    """Last feature map of either kind of trunk that ``create_trunk`` makes."""
    if hasattr(trunk, "forward_features"):
        return trunk.forward_features(images)
    return trunk(images)[-1]


def create_trunk(timm_name: str, output_stride: int, *, pretrained: bool = False) -> nn.Module:
    """The whole network without its classifier, or, where only that takes a stride, timm's feature extractor."""
    if not timm.is_model(timm_name):
        close = timm.list_models(f"*{timm_name.split('.')[0]}*")[:5]
        hint = f", for example {', '.join(close)}" if close else ""
        raise UserError(f"--architecture timm:{timm_name}: timm has no such model; see timm.list_models(){hint}")
    options = {"pretrained": pretrained, "output_stride": output_stride}
    try:
        return timm.create_model(timm_name, num_classes=0, global_pool="", **options)
    except (TypeError, AssertionError):
        pass  # MobileNetV3 takes a stride only as a feature extractor
    try:
        return timm.create_model(timm_name, features_only=True, out_indices=(-1,), **options)
    except (TypeError, AssertionError, AttributeError, RuntimeError) as error:
        if pretrained:
            raise
        raise UserError(
            f"--architecture timm:{timm_name} cannot be built at output stride {output_stride} "
            f"({type(error).__name__}): choose a CNN of timm that takes output_stride"
        ) from error


class EfficientNetLite0(TimmTrunk):
    """timm's tf_efficientnet_lite0 with the input scale of the published lite0 weights: (x - 127) / 128 in 0..255."""

    def __init__(self, options: TrunkOptions) -> None:
        super().__init__(options, timm_name="tf_efficientnet_lite0")
        self.mean = (127 / 255,) * 3
        self.std = (128 / 255,) * 3
