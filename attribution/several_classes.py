"""Raw maps of several classes per image, from one forward pass where the attribution allows it."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from calm.attribution import build_attribution, output_attribution
from calm.networks.network import Network
from calm.networks.precision import autocast


def maps_of_several(
    name: str, *, precision: str = "fp32", **options
) -> Callable[[Network, Tensor, Sequence[Sequence[int]]], Tensor]:
    """(network in eval mode, images [B,3,H,W], the classes of each image) -> float32 maps [n,h,w], image by image.

    A map that is a function of the output takes one forward pass of the batch, without autograd; any other one pass
    per image and class.

    Args:
        name: of the attribution.
        precision: "bf16" runs the network under autocast.
        options: as ``build_attribution`` takes them.
    """
    of_output, of_images = output_attribution(name, **options), build_attribution(name, **options)

    def maps_of(network: Network, images: Tensor, classes: Sequence[Sequence[int]]) -> Tensor:
        if of_output is None:
            with autocast(images.device, precision):
                return _in_rounds(lambda rows, y: of_images(network, images[rows], y), classes, images.device)
        with torch.inference_mode():
            with autocast(images.device, precision):
                output = network(images)
            return _in_rounds(lambda rows, y: of_output(_take(output, rows), y), classes, images.device)

    return maps_of


def _take(output, rows: list[int]):
    """The output of some images of the batch."""
    return output if len(rows) == len(output[0]) else type(output)(*(field[rows] for field in output))


def _in_rounds(read: Callable, classes: Sequence[Sequence[int]], device: torch.device) -> Tensor:
    """Call ``read`` with the first class of every image, then with the second of those that have one, and so on."""
    starts = torch.tensor([0, *map(len, classes)]).cumsum(0).tolist()
    maps = torch.empty(0)
    for turn in range(max(map(len, classes))):
        rows = [row for row, own in enumerate(classes) if turn < len(own)]
        read_maps = read(rows, torch.tensor([classes[row][turn] for row in rows], device=device))
        if turn == 0:
            maps = read_maps.new_empty((starts[-1], *read_maps.shape[1:]), dtype=torch.float32)
        maps[[starts[row] + turn for row in rows]] = read_maps.float()
    return maps
