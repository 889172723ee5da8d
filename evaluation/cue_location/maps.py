"""The maps of both classes of every pair: a network's, or files that any tool wrote."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from calm.attribution import ATTRIBUTIONS
from calm.attribution.several_classes import Asked, maps_of_several
from calm.errors import UserError
from calm.evaluation.file_maps import ClassFileMaps
from calm.evaluation.raw_maps import aligned, attribution_options
from calm.evaluation.session import Session
from calm.networks.network import Network
from calm.networks.outputs import NotFinite


class CueMaps(NamedTuple):
    """Where maps come from and what they are."""

    name: str
    """Of the attribution, or of the files."""
    kind: str
    """Of ``Attribution.kind``; maps of files are score maps already and count as probabilities."""
    maps_of: Callable[[Tensor, Sequence[int], Sequence[Sequence[Any]]], Tensor]
    """(images [B,3,S,S], their positions, what is asked of each) -> raw maps [n,h,w], image by image."""
    aligned: Callable[[Tensor], Tensor]
    """What is done to raw maps [n,h,w] first: cells where the trunk looks."""
    versus: bool = False
    """Whether the map of a class is one against the pair's other class."""


def open_maps(session: Session, image_ids: Sequence[str]) -> CueMaps:
    """The maps that the flags ask for; ``image_ids`` are those of the evaluated images, by position."""
    args = session.args
    if args.scoremap_root is not None:
        if args.versus is not None:
            raise UserError(f"`versus`={args.versus} is of a network's maps, and those of `scoremap_root` are made")
        files = ClassFileMaps(args.scoremap_root, image_ids, args.crop_size)
        return CueMaps(files.name, "probability", files, lambda maps: maps)
    name, network = session.map_name, session.network
    attribution = ATTRIBUTIONS[name]
    if args.versus == "pair" and "versus" not in attribution.options:
        raise UserError(f"`versus`=pair: the attribution {name} compares a class with no other one")
    versus = attribution.needs_versus or args.versus == "pair"
    options = attribution_options(session, name, versus=versus)
    several = maps_of_several(name, precision=args.precision, **options)

    def maps_of(images: Tensor, positions: Sequence[int], asked: Sequence[Sequence[Asked]]) -> Tensor:
        try:
            return several(network, images, asked)
        except NotFinite:
            _name_of_first(network, images, lambda position: image_ids[positions[position]])
            raise

    return CueMaps(name, attribution.kind, maps_of, aligned(session, name), versus)


def _name_of_first(network: Network, images: Tensor, name_of: Callable[[int], str]) -> None:
    """Raise ``NotFinite`` with its name for the first image of which the network's output is not finite, if any."""
    try:
        with torch.no_grad():
            network(images)
    except NotFinite as error:
        raise error.named(name_of) from None
