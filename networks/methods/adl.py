"""Attention-based dropout layer (Choe and Shim, CVPR 2019): a layer without weights that hides what stands out."""

import torch
from torch import Tensor, nn

from calm.errors import UserError
from calm.networks.heads import CamHead
from calm.networks.methods.base import Loss, Method, Objective
from calm.networks.methods.cam import cam_loss


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


class AttentionDropout(Objective):
    """Cross entropy of a network with the layer behind the places that its trunk names.

    The layer hangs on these modules as a hook, so that names and numbers of the trunk's layers stay as they are. It
    acts where a module is in training mode; every place draws its own coin in every forward pass.
    """

    def __init__(
        self, loss: Loss, network: nn.Module, *, adl_drop_rate: float = 0.75, adl_threshold: float = 0.9
    ) -> None:
        """Put the layer in place; the defaults are the WSOL benchmark's.

        Args:
            loss: see ``Objective``.
            network: see ``Objective``.
            adl_drop_rate: probability of the drop mask, else the importance map is used.
            adl_threshold: share of the maximum above which a cell is dropped.

        Raises:
            UserError: for a number outside [0, 1], or a trunk that names no places.
        """
        super().__init__(loss, network)
        for name, value in (("adl_drop_rate", adl_drop_rate), ("adl_threshold", adl_threshold)):
            if not 0 <= value <= 1:
                raise UserError(f"`{name}`={value} should lie in [0, 1]")
        places = getattr(network, "dropout_places", {})
        if not places:
            architecture = getattr(network, "architecture", "this network")
            raise UserError(f"ADL's places are not defined for `architecture`={architecture}: choose another")

        def drop(module: nn.Module, inputs: tuple[Tensor, ...], features: Tensor) -> Tensor:
            if not module.training:
                return features
            draw = float(torch.rand(()))
            return attend_or_drop(features, draw, adl_drop_rate=adl_drop_rate, adl_threshold=adl_threshold)

        modules = dict(network.named_modules())
        if all(place.split(".")[0] in getattr(network, "frozen", ()) for place in places):
            raise UserError("`freeze_trunk`: ADL's layer acts in the trunk alone: choose another method")
        for place in places:
            modules[place].register_forward_hook(drop)


ADL = Method(CamHead, cam_loss, AttentionDropout)
