"""LFI-CAM (Lee, Park, Oh and Kwak, ICCV 2021): the network weighs its own feature maps and attends to their sum."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from calm.errors import UserError
from calm.networks.heads import Head, at_least_float32
from calm.networks.methods.base import Method
from calm.networks.methods.cam import CamObjective, cam_loss
from calm.networks.outputs import CamOutput

if TYPE_CHECKING:
    from calm.networks.network import Network

DEPTH = 4
"""Convolutions of the network that finds the importances."""


def scaled_channels(features: Tensor) -> Tensor:
    """Each channel of [B,C,h,w] stretched to [0,1] over the cells; a constant one is 1 where it is not 0."""
    low, high = features.amin(dim=(2, 3), keepdim=True), features.amax(dim=(2, 3), keepdim=True)
    span = high - low
    scaled = (features - low) / torch.where(span > 0, span, torch.ones_like(span))
    return torch.where(span > 0, scaled, (high != 0).to(features.dtype))


def masked_greys(features: Tensor, images: Tensor) -> Tensor:
    """[B,C,h,w]: the grey image, resized to the grid, seen through each scaled channel.

    Args:
        features: [B,C,h,w].
        images: normalised, [B,3,H,W]; grey is the mean of the three.
    """
    grey = F.interpolate(images.mean(dim=1, keepdim=True), features.shape[2:], mode="bilinear", align_corners=False)
    return scaled_channels(features) * grey.to(features.dtype)


def importances(responses: Tensor) -> Tensor:
    """[B,C,h,w] responses to the masked greys -> [B,C], a softmax over the channels of their means."""
    return responses.mean(dim=(2, 3)).softmax(dim=1)


def attention_map(features: Tensor, weights: Tensor) -> Tensor:
    """[B,h,w] in [0,1], the same for every class: relu(sum_k w_k E_k) stretched; a constant one is left as it is.

    Args:
        features: E, [B,C,h,w], not scaled.
        weights: w, [B,C].
    """
    maps = (features * weights[:, :, None, None]).sum(dim=1).relu()
    low, high = maps.amin(dim=(1, 2), keepdim=True), maps.amax(dim=(1, 2), keepdim=True)
    span = high - low
    return torch.where(span > 0, (maps - low) / torch.where(span > 0, span, torch.ones_like(span)), maps)


def attended(features: Tensor, maps: Tensor) -> Tensor:
    """E + map * E, [B,C,h,w]."""
    return features + maps[:, None] * features


class LfiOutput(NamedTuple):
    """CAM's output on attended features, and the network's own map."""

    class_maps: Tensor
    """[B,K,h,w], of E + map * E."""
    attention: Tensor
    """[B,h,w] in [0,1], the same for every class."""

    has_prior = False
    class_scores = CamOutput.class_scores
    log_p_y = CamOutput.log_p_y
    score_of = CamOutput.score_of


class LfiHead(Head):
    """Four 3x3 convolutions find the channels' importances (``att_conv1``, ``att_bn1``, ...), then CAM's class branch.

    As many channels inside as in the features: 151 million weights on resnet50, 9.4 million on resnet18.
    """

    def layers(self, channels: int, num_classes: int) -> dict[str, nn.Module]:
        """``att_conv1`` to 4, ``att_bn1`` to 4, ``conv_last``."""
        layers: dict[str, nn.Module] = {}
        for number in range(1, DEPTH + 1):
            layers[f"att_conv{number}"] = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
            layers[f"att_bn{number}"] = nn.BatchNorm2d(channels)
        return layers | {"conv_last": nn.Conv2d(channels, num_classes, 1)}

    def read(
        self, network: Network, features: Tensor, *, images: Tensor | None = None, targets: Tensor | None = None
    ) -> LfiOutput:
        """[B,C,h,w] -> LfiOutput.

        Raises:
            UserError: without the images that the features are of.
        """
        if images is None:
            raise UserError("an LFI-CAM network looks at the images once more: features alone have no output")
        features = at_least_float32(features)
        responses = masked_greys(features, images)
        for number in range(1, DEPTH + 1):
            convolution, norm = getattr(network, f"att_conv{number}"), getattr(network, f"att_bn{number}")
            responses = norm(convolution(responses)).relu()
        maps = attention_map(features, importances(at_least_float32(responses)))
        return LfiOutput(at_least_float32(network.conv_last(attended(features, maps))), maps)


LFI_CAM = Method(LfiHead, cam_loss, CamObjective, default_map="lficam")
