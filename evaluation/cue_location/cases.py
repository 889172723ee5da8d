"""Which class pairs and which images are evaluated."""

from collections.abc import Sequence
from pathlib import Path

from calm.data_loaders.cues.pairs import ClassPair, chosen_pairs, class_pairs, differing_parts
from calm.data_loaders.cues.part_maps import CueImages, ExactParts, KeypointParts
from calm.data_loaders.datasets import ImageDataset
from calm.errors import UserError


def pairs_to_evaluate(root: Path, chosen: str | None, num_classes: int | None) -> list[ClassPair]:
    """The pairs that ``chosen`` names, such as "9-27,9-107", or all with one to three differing parts.

    Args:
        root: folder of the data set's attributes.
        chosen: class ids from 1.
        num_classes: of the network, where there is one.
    """
    differs = differing_parts(root)
    if num_classes is not None and len(differs) != num_classes:
        raise UserError(f"{root} has attributes of {len(differs)} classes, but the network knows {num_classes}")
    return class_pairs(differs) if chosen is None else chosen_pairs(chosen, differs)


def cue_images(
    dataset: ImageDataset,
    root: Path,
    classes: Sequence[int],
    *,
    cue_masks: str,
    size: int,
    inside_bird: bool,
    points: str,
) -> CueImages:
    """The images of ``classes`` with their part maps.

    Args:
        dataset: the test split.
        root: folder of the data set's annotations.
        classes: whose images are wanted.
        cue_masks: "exact", or "keypoints".
        size: side of the part maps.
        inside_bird: whether part maps from keypoints end with the bird's segmentation.
        points: "mean" or "all" keypoints of the head, for part maps from keypoints.
    """
    wanted = set(classes)
    indices = [index for index, record in enumerate(dataset.records) if record.target in wanted]
    image_ids = [dataset.records[index].image_id for index in indices]
    if cue_masks == "exact":
        return CueImages(dataset, indices, ExactParts(root, image_ids, size=size))
    sizes = [dataset.original_size(index) for index in indices]
    parts = KeypointParts(root, image_ids, sizes, size=size, inside_bird=inside_bird, points=points)
    return CueImages(dataset, indices, parts)
