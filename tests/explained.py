"""Explanations of made-up outputs, for the tests of figure, page and gallery."""

import numpy as np
import torch
from PIL import Image

from calm.explanation.maps import Explanation, Question
from calm.networks.outputs import CalmOutput, CamOutput

SPECIES = ["Painted Bunting", "Indigo Bunting", "Lazuli Bunting", "Summer Tanager", "Scarlet Tanager", "Sooty <Tern>"]


def made_up_output(method: str, num_classes: int, side: int, *, seed: int = 0) -> CalmOutput | CamOutput:
    """Random logits with a sharp, off-centre prior."""
    generator = torch.Generator().manual_seed(seed)
    logits = 4 * torch.randn(1, num_classes, side, side, generator=generator)
    if method == "CAM":
        return CamOutput(logits)
    heights = 3 * torch.randn(1, 1, side, side, generator=generator)
    return CalmOutput(logits, heights.flatten().log_softmax(dim=0).view_as(heights))


def made_up_picture(width: int = 120, height: int = 90) -> Image.Image:
    """Noise, the hardest picture to compress."""
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def made_up(
    method: str = "CALM_EM",
    *,
    num_classes: int = len(SPECIES),
    side: int = 7,
    picture: Image.Image | None = None,
    question: Question | None = None,
    seed: int = 0,
) -> Explanation:
    """An explanation of a made-up output; classes 0, 1, 2 share a superset, every other class is alone."""
    picture = picture or made_up_picture()
    names = SPECIES[:num_classes] + [f"species {index}" for index in range(len(SPECIES), num_classes)]
    supersets = {index: [0, 1, 2] if index < 3 else [index] for index in range(num_classes)}
    output = made_up_output(method, num_classes, side, seed=seed)
    class_names = [f"{index + 1:03d}.{name.replace(' ', '_')}" for index, name in enumerate(names)]
    question = question or Question(0, 3, (0, 1, 2))
    return Explanation(
        "bunting.jpg", picture, picture.size, 56, output, class_names, supersets, question, f"{method} · made up"
    )
