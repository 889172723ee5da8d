"""Maps that a network was trained to make: those of ACoL and of LFI-CAM."""

import torch
from torch import Tensor

from calm.attribution.record import Attribution
from calm.errors import UserError
from calm.networks.methods.acol import merged_map
from calm.networks.methods.lfi_cam import LfiOutput
from calm.networks.network import Network


def acol(module: Network, images: Tensor, targets: Tensor) -> Tensor:
    """[B,h,w] in [0,1]: the larger of both branches' maps, B's from the features that A's map of the target left.

    Raises:
        UserError: for a network of another method.
    """
    with torch.no_grad():
        output = module(images, targets)
    maps_b = getattr(output, "maps_b", None)
    if maps_b is None:
        raise UserError("the attribution acol is of ACoL's two branches, which this network does not have")
    return merged_map(output.class_maps, maps_b, targets)


def lficam(output: LfiOutput, targets: Tensor) -> Tensor:
    """[B,h,w] in [0,1]: the map by which the network attends to its features, the same for every class.

    Raises:
        UserError: for a network of another method.
    """
    attention = getattr(output, "attention", None)
    if attention is None:
        raise UserError("the attribution lficam is an LFI-CAM network's own map, which this network does not have")
    return attention


OWN_MAPS = {
    "acol": Attribution(acol, "images", "class map", needs_methods=("ACoL",), title="ACoL"),
    "lficam": Attribution(lficam, "output", "class map", needs_methods=("LFI_CAM",), title="LFI-CAM"),
}
