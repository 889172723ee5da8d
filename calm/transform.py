"""From pictures to what a network takes."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from PIL import Image
from torch import Tensor

from calm.arguments import as_list
from calm.data_loaders.transforms import evaluation_view, to_tensor
from calm.errors import UserError


def rgb(image: object, *, name: str = "images") -> Image.Image:
    """A copy of a PIL image in RGB.

    Raises:
        UserError: it is no PIL image, or has more than eight bits a channel.
    """
    if not isinstance(image, Image.Image):
        raise UserError(f"`{name}` should be a PIL image or a list of them, not a {type(image).__name__}")
    if image.mode.startswith(("I", "F")):  # PIL would clip these to white
        raise UserError(f"`{name}` holds an image of more than 8 bits a channel ({image.mode}): convert it")
    return image.convert("RGB") if image.mode != "RGB" else image.copy()


@dataclass(frozen=True)
class Transform:
    """PIL image or list of them -> [B,3,S,S] float32, normalised: the whole image resized, as in testing.

    Pixels are taken as they are stored, without an EXIF orientation.
    """

    size: int
    """Side of the network's input, pixels."""
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def __call__(self, images: Image.Image | Sequence[Image.Image]) -> Tensor:
        """Make a batch.

        Raises:
            UserError: an image that is none, or no image at all.
        """
        views = [evaluation_view(rgb(image), crop_size=self.size) for image in as_list(images)]
        if not views:
            raise UserError("`images` is empty: give at least one image")
        return torch.stack([to_tensor(view, self.mean, self.std) for view in views])
