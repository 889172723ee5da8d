"""Raw maps of several classes per image, from one forward pass where the attribution allows it."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from calm.attribution import ATTRIBUTIONS, build_attribution, canonical_name, output_attribution
from calm.networks.network import Network
from calm.networks.precision import autocast

Asked = int | tuple[int, int]
"""A class; or a class and the one that it is compared with, for an attribution that takes ``versus``."""


def maps_of_several(
    name: str, *, precision: str = "fp32", **options
) -> Callable[[Network, Tensor, Sequence[Sequence[Asked]]], Tensor]:
    """(network in eval mode, images [B,3,H,W], what is asked of each) -> float32 maps [n,h,w], image by image.

    A map that is a function of the output takes one forward pass of the batch, without autograd; any other one pass
    per image and class.

    Args:
        name: of the attribution.
        precision: "bf16" runs the network under autocast.
        options: as ``build_attribution`` takes them.
    """
    reads_output = ATTRIBUTIONS[canonical_name(name)].reads == "output"

    def maps_of(network: Network, images: Tensor, asked: Sequence[Sequence[Asked]]) -> Tensor:
        def of_images(rows: list[int], y: Tensor, versus: dict[str, Tensor]) -> Tensor:
            return build_attribution(name, **options, **versus)(network, images[rows], y)

        if not reads_output:
            with autocast(images.device, precision):
                return _in_rounds(of_images, asked, images.device)
        with torch.inference_mode():
            with autocast(images.device, precision):
                output = network(images)

            def of_output(rows: list[int], y: Tensor, versus: dict[str, Tensor]) -> Tensor:
                read = output_attribution(name, **options, **versus)
                assert read is not None, f"{name} reads the output"
                return read(_take(output, rows), y)

            return _in_rounds(of_output, asked, images.device)

    return maps_of


def _take(output, rows: list[int]):
    """The output of some images of the batch."""
    return output if len(rows) == len(output[0]) else type(output)(*(field[rows] for field in output))


def _in_rounds(read: Callable, asked: Sequence[Sequence[Asked]], device: torch.device) -> Tensor:
    """Call ``read`` with the first question of every image, then with the second of those that have one, and so on."""
    starts = torch.tensor([0, *map(len, asked)]).cumsum(0).tolist()
    maps = torch.empty(0)
    for turn in range(max(map(len, asked))):
        rows = [row for row, own in enumerate(asked) if turn < len(own)]
        classes = torch.tensor([asked[row][turn] for row in rows], device=device)
        versus = {} if classes.dim() == 1 else {"versus": classes[:, 1]}
        read_maps = read(rows, classes if classes.dim() == 1 else classes[:, 0], versus)
        if turn == 0:
            maps = read_maps.new_empty((starts[-1], *read_maps.shape[1:]), dtype=torch.float32)
        maps[[starts[row] + turn for row in rows]] = read_maps.float()
    return maps
