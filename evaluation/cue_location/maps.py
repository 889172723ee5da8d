"""The maps of both classes of every pair: a network's, or files that any tool wrote."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from calm.attribution import ATTRIBUTIONS
from calm.attribution.several_classes import maps_of_several
from calm.evaluation.file_maps import ClassFileMaps
from calm.evaluation.session import Session
from calm.networks.network import Network
from calm.networks.outputs import NotFinite


class CueMaps(NamedTuple):
    """Where maps come from and what they are."""

    name: str
    """Of the attribution, or of the files."""
    kind: str
    """Of ``Attribution.kind``; maps of files are score maps already and count as probabilities."""
    maps_of: Callable[[Tensor, Sequence[int], Sequence[Sequence[int]]], Tensor]
    """(images [B,3,S,S], their positions, the classes of each) -> raw maps [n,h,w], image by image."""
    aligned: Callable[[Tensor], Tensor]
    """What is done to raw maps [n,h,w] first: cells where the trunk looks."""


def open_maps(session: Session, image_ids: Sequence[str]) -> CueMaps:
    """The maps that the flags ask for; ``image_ids`` are those of the evaluated images, by position."""
    args = session.args
    if args.scoremap_root is not None:
        files = ClassFileMaps(args.scoremap_root, image_ids, args.crop_size)
        return CueMaps(files.name, "probability", files, lambda maps: maps)
    name, network, device = session.map_name, session.network, session.device
    several = maps_of_several(name, precision=args.precision, **session.attribution_options(name))

    def maps_of(images: Tensor, positions: Sequence[int], classes: Sequence[Sequence[int]]) -> Tensor:
        images = images.to(device, non_blocking=True)
        try:
            return several(network, images, classes)
        except NotFinite:
            _name_of_first(network, images, lambda position: image_ids[positions[position]])
            raise

    return CueMaps(name, ATTRIBUTIONS[name].kind, maps_of, session.aligned(name))


def _name_of_first(network: Network, images: Tensor, name_of: Callable[[int], str]) -> None:
    """Raise ``NotFinite`` with its name for the first image of which the network's output is not finite, if any."""
    try:
        with torch.no_grad():
            network(images)
    except NotFinite as error:
        raise error.named(name_of) from None
