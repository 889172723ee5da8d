"""Which class pairs and images are evaluated, and what becomes of their maps before they are compared."""

from collections.abc import Callable, Sequence
from pathlib import Path

from torch import Tensor

from calm.attribution import ATTRIBUTIONS
from calm.attribution.score_map import normalize, resize, smooth
from calm.data_loaders.cues.pairs import ClassPair, chosen_pairs, class_pairs, differing_parts
from calm.data_loaders.cues.part_maps import CueImages, ExactParts, KeypointParts
from calm.data_loaders.datasets import ImageDataset
from calm.errors import UserError


def pairs_to_evaluate(root: Path, chosen: str | None, num_classes: int) -> list[ClassPair]:
    """The pairs that ``chosen`` names, such as "9-27,9-107", or all with one to three differing parts.

    Args:
        root: folder of the data set's attributes.
        chosen: class ids from 1.
        num_classes: of the network.
    """
    differs = differing_parts(root)
    if len(differs) != num_classes:
        raise UserError(f"{root} has attributes of {len(differs)} classes, but the network knows {num_classes}")
    return class_pairs(differs) if chosen is None else chosen_pairs(chosen, differs)


def cue_images(
    dataset: ImageDataset, root: Path, classes: Sequence[int], *, cue_masks: str, size: int, inside_bird: bool
) -> CueImages:
    """The images of ``classes`` with their part maps.

    Args:
        dataset: the test split.
        root: folder of the data set's annotations.
        classes: whose images are wanted.
        cue_masks: "exact", or "keypoints".
        size: side of the part maps.
        inside_bird: whether part maps from keypoints end with the bird's segmentation.
    """
    wanted = set(classes)
    indices = [index for index, record in enumerate(dataset.records) if record.target in wanted]
    image_ids = [dataset.records[index].image_id for index in indices]
    if cue_masks == "exact":
        return CueImages(dataset, indices, ExactParts(root, image_ids, size=size))
    sizes = [dataset.original_size(index) for index in indices]
    return CueImages(dataset, indices, KeypointParts(root, image_ids, sizes, size=size, inside_bird=inside_bird))


def score_maker(name: str, *, size: int, ksize: int, norm_type: str) -> Callable[[Tensor], Tensor]:
    """Raw differences [n,h,w] of the attribution ``name`` -> score maps [n,size,size] in [0,1], as released."""

    def to_scores(difference: Tensor) -> Tensor:
        if ATTRIBUTIONS[name].image_sized:
            difference = smooth(difference, ksize)
        return normalize(resize(difference, size).abs(), norm_type)

    return to_scores
