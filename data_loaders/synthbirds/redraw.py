"""A test bird drawn again with one part removed, or given a rival class's look: birds whose cause is known."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import yaml

from calm.data_loaders.synthbirds.classes import PARTS, bird_classes, differing_parts, siblings
from calm.data_loaders.synthbirds.files import SPLITS, Options, pictures
from calm.data_loaders.synthbirds.generate import MARKER
from calm.data_loaders.synthbirds.render import render
from calm.errors import UserError


class Redrawn(NamedTuple):
    """One bird under the same pose, light and background; pictures are uint8 [H,W,3]. Parts are those that show."""

    whole: np.ndarray
    part_mask: np.ndarray
    """uint8 [H,W], part + 1, 0 elsewhere."""
    removed: dict[int, np.ndarray]
    """Part -> the picture without it."""
    bare: np.ndarray
    """Without any of them."""
    rival: int
    """A class of the same family."""
    given: dict[int, np.ndarray]
    """Part in which the rival looks different -> the picture with the rival's look of it."""
    as_rival: np.ndarray
    """With all of these."""


def redrawer(root: Path) -> Callable[[str], Redrawn]:
    """(image id of a test bird) -> the bird drawn again.

    Nothing is compressed, so the whole bird differs from its stored picture by JPEG's rounding. The rivals of a class's
    birds are its siblings in turn.

    Args:
        root: folder of a SynthBirds.
    """
    made = yaml.safe_load((root / MARKER).read_text(encoding="utf-8"))
    options = Options(**{name: value for name, value in made.items() if name in Options._fields})
    classes = bird_classes(options.num_classes)
    known = {picture.image_id: picture for picture in pictures(options, classes) if picture.split == "test"}

    def redraw(image_id: str) -> Redrawn:
        if image_id not in known:
            raise UserError(f"{image_id} is no test picture of {root}")
        picture = known[image_id]
        bird, looks = classes[picture.target], classes[picture.target].looks
        pose_seed = (options.seed, SPLITS.index(picture.split), picture.target, picture.number)
        draw = partial(render, pose_seed=pose_seed, size=options.image_size, shape=bird.shape)
        whole = draw(looks)
        shown = [part for part in range(len(PARTS)) if (whole.part_mask == part + 1).any()]
        others = siblings(picture.target, len(classes))
        rival = others[picture.number % len(others)] if others else picture.target
        theirs = classes[rival].looks
        differ = [part for part in shown if PARTS[part] in differing_parts(bird, classes[rival])]

        def changed(parts: list[int], new_looks) -> np.ndarray:
            return draw([new_looks[part] if part in parts else look for part, look in enumerate(looks)]).image

        nothing = (None,) * len(PARTS)
        return Redrawn(
            whole.image,
            whole.part_mask,
            {part: changed([part], nothing) for part in shown},
            changed(shown, nothing),
            rival,
            {part: changed([part], theirs) for part in differ},
            changed(differ, theirs),
        )

    return redraw
