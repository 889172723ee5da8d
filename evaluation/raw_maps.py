"""The raw maps of an evaluation: an attribution with its options, on the grid or where the trunk's cells look."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from calm.attribution import ATTRIBUTIONS, build_attribution, output_attribution
from calm.attribution.score_map import check_ksize, resize, smooth
from calm.engine import Prediction
from calm.errors import UserError
from calm.evaluation.session import Session
from calm.networks.precision import autocast


def attribution_options(session: Session, name: str, *, versus: bool = False) -> dict[str, Any]:
    """What ``build_attribution(name, ...)`` takes from the flags and, for maps over supersets, from the data.

    ``versus`` says that the evaluation itself names a second class.
    """
    attribution, args = ATTRIBUTIONS[name], session.args
    if attribution.needs_versus and not versus:
        raise UserError(
            f"the attribution {name} compares two classes, and this evaluation explains one: choose joint, "
            "cue localisation, or explain.py with `versus`"
        )
    named = [option for option in attribution.options if option in args and option != "versus"]
    options = {option: args[option] for option in named}
    return options | ({"supersets": session.supersets} if attribution.needs_supersets else {})


def aligned(session: Session, name: str) -> Callable[[Tensor], Tensor]:
    """Raw maps of the attribution, [n,h,w] -> the same, or [n,S,S] with every cell where the trunk looks.

    Under ``resize_alignment``=grid, and for maps of the image's size, the maps stay as they are.
    """
    args, network = session.args, session.network
    if args.resize_alignment == "grid" or ATTRIBUTIONS[name].image_sized:
        return lambda maps: maps
    size, stride, offset = args.crop_size, network.cell_stride, network.cell_offset
    if (mode := args.get("resize_mode", "bilinear")) != "bilinear":
        raise UserError(f"`resize_mode`={mode} goes with `resize_alignment`=grid alone")

    def on_pixels(maps: Tensor) -> Tensor:
        if any(abs(cells * stride - size) >= 2 * stride for cells in maps.shape[1:]):
            raise UserError(
                f"`resize_alignment`=receptive_field knows where the cells of the network's last grid look, "
                f"{stride} pixels apart, and {name} gives a grid of {maps.shape[1]} x {maps.shape[2]} cells"
            )
        return resize(maps, size, stride=stride, offset=offset)

    return on_pixels


def raw_maps(session: Session, name: str) -> Callable[[Prediction], Tensor]:
    """(a batch's prediction) -> raw maps of the true class, [B,h,w] or [B,H,W].

    Maps of the image's size are blurred by ``smoothing_ksize``, others aligned by ``resize_alignment``. Maps that are
    functions of the output cost no further pass of the network.
    """
    options, on_pixels = attribution_options(session, name), aligned(session, name)
    of_output, of_images = output_attribution(name, **options), build_attribution(name, **options)
    ksize, is_blurred = session.args.smoothing_ksize, ATTRIBUTIONS[name].image_sized
    if is_blurred:
        check_ksize(ksize, session.args.crop_size)

    def maps(batch: Prediction) -> Tensor:
        if of_output is not None:
            with torch.inference_mode():
                return on_pixels(of_output(batch.output, batch.targets))
        with autocast(session.device, session.args.precision):
            raw = of_images(session.network, batch.images, batch.targets).float()
        return smooth(raw, ksize) if is_blurred else on_pixels(raw)

    return maps
