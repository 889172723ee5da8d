"""What a Python user may get wrong in an argument, said in one sentence that names the parameter."""

from collections.abc import Sequence
from numbers import Integral
from typing import Any

import torch
from torch import Tensor, nn

from calm.errors import UserError
from calm.networks.network import Network


def check_images(images: object, *, channels: int | None = 3, network: nn.Module | None = None) -> Tensor:
    """A batch as a network takes it: finite floats [B,3,H,W], or of any channels where ``channels`` is None.

    Raises:
        UserError: another type or shape, a value that is not finite, or another dtype or device than a Network has.
    """
    shape = f"[B,{'C' if channels is None else channels},H,W]"
    if not isinstance(images, Tensor):
        raise UserError(f"`images` should be a tensor {shape}, not {_type(images)}; network.transform makes one")
    if images.ndim == 3:
        raise UserError(f"`images` has no batch axis: {_shape(images)} should be {shape}, as images[None] is")
    if images.ndim != 4 or channels not in (None, images.shape[1]) or not images.numel():
        raise UserError(f"`images` should have the shape {shape}, not {_shape(images)}")
    if not images.is_floating_point():
        raise UserError(f"`images` should hold normalised floats, not {images.dtype}; network.transform makes them")
    weights = next(network.parameters()) if isinstance(network, Network) else None  # another module may cast them
    if weights is not None and images.device != weights.device:
        raise UserError(f"`images` are on {images.device}, and the network's weights on {weights.device}")
    if weights is not None and images.dtype != weights.dtype and not torch.is_autocast_enabled(images.device.type):
        raise UserError(
            f"`images` are {images.dtype}, and the network's weights {weights.dtype}: use images.to({weights.dtype})"
        )
    if not images.isfinite().all():
        bad = (~images.flatten(1).isfinite().all(dim=1)).nonzero()[0].item()
        raise UserError(f"`images` should be finite, but image {bad} holds NaN or infinity")
    return images


def check_targets(targets: object, images: Tensor, num_classes: int | None, *, name: str = "targets") -> Tensor:
    """A class for each image, [B] integers, on the images' device.

    Raises:
        UserError: another type, shape or dtype, or a class that the network does not have.
    """
    if not isinstance(targets, Tensor):
        raise UserError(f"`{name}` should be a tensor [B] of class indices, not {_type(targets)}")
    if targets.shape != images.shape[:1]:
        raise UserError(
            f"`{name}` should have a class for each of {len(images)} images, not the shape {_shape(targets)}"
        )
    if targets.is_floating_point() or targets.is_complex() or targets.dtype == torch.bool:
        raise UserError(f"`{name}` should hold integers, not {targets.dtype}")
    wrong = targets[(targets < 0) | (targets >= num_classes)] if num_classes else targets[targets < 0]
    if len(wrong):
        last = "" if num_classes is None else f" to {num_classes - 1}"
        raise UserError(f"`{name}` has class {wrong[0].item()}, but class indices go from 0{last}")
    return targets.long().to(images.device)


def check_versus(versus: object, images: Tensor, num_classes: int | None) -> None:
    """One class to compare with for all images, or one for each; a wrong one as ``check_targets`` says it."""
    try:
        classes: Any = torch.as_tensor(versus)
    except (TypeError, ValueError, RuntimeError):
        classes = versus
    if isinstance(classes, Tensor) and classes.ndim == 0:
        classes = classes.expand(len(images))
    check_targets(classes, images, num_classes, name="versus")


def check_network(network: object) -> nn.Module:
    """A network.

    Raises:
        UserError: it is none.
    """
    if not isinstance(network, nn.Module):
        raise UserError(f"`network` should be a network, as calm.load gives it, not {_type(network)}")
    return network


def check_count(value: object, *, name: str) -> int:
    """A whole number from 1.

    Raises:
        UserError: another.
    """
    if not isinstance(value, Integral) or value < 1:  # numpy's are too
        raise UserError(f"`{name}`={value} should be a whole number from 1")
    return int(value)


def as_list(value: object) -> list:
    """A list or tuple as a list, anything else alone in one."""
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str) else [value]


def _type(value: object) -> str:
    return f"a {type(value).__name__}"


def _shape(tensor: Tensor) -> str:
    return str(list(tensor.shape))
