"""Attention-based dropout layer (Choe and Shim, CVPR 2019): a layer without weights that hides what stands out."""

import torch
from torch import Tensor, nn

from calm.errors import UserError


def importance_map(features: Tensor) -> Tensor:
    """[B,C,h,w] -> [B,1,h,w] in (0,1): sigmoid of the mean over the channels."""
    return features.mean(dim=1, keepdim=True).sigmoid()


def drop_mask(features: Tensor, adl_threshold: float) -> Tensor:
    """[B,C,h,w] -> [B,1,h,w], 0 where the channels' mean reaches ``adl_threshold`` times its maximum in the image.

    Where that maximum is negative the threshold lies above it and nothing is dropped. No gradient.
    """
    attention = features.detach().mean(dim=1, keepdim=True)
    return (attention < adl_threshold * attention.amax(dim=(2, 3), keepdim=True)).to(features.dtype)


def attend_or_drop(features: Tensor, draw: float, *, adl_drop_rate: float, adl_threshold: float) -> Tensor:
    """Features times the drop mask, with probability ``adl_drop_rate``, else times the importance map; [B,C,h,w].

    Args:
        features: [B,C,h,w].
        draw: uniform in [0,1), one for the whole batch: the mask is used where it is at least 1 - ``adl_drop_rate``.
        adl_drop_rate: probability of the mask.
        adl_threshold: share of the maximum above which a cell is dropped.
    """
    if draw >= 1 - adl_drop_rate:
        return features * drop_mask(features, adl_threshold)
    return features * importance_map(features)


class AttentionDropout(nn.Module):
    """``attend_or_drop`` in training, the identity in evaluation; every forward pass draws one coin."""

    def __init__(self, *, adl_drop_rate: float, adl_threshold: float) -> None:
        """Both in [0, 1].

        Raises:
            UserError: for a number outside.
        """
        super().__init__()
        for name, value in (("adl_drop_rate", adl_drop_rate), ("adl_threshold", adl_threshold)):
            if not 0 <= value <= 1:
                raise UserError(f"`{name}`={value} should lie in [0, 1]")
        self.options = {"adl_drop_rate": adl_drop_rate, "adl_threshold": adl_threshold}

    def forward(self, features: Tensor) -> Tensor:
        """[B,C,h,w] -> [B,C,h,w]."""
        if not self.training:
            return features
        return attend_or_drop(features, float(torch.rand(())), **self.options)
