"""Whether the classes of a data set are those of ImageNet's published weights, in their order."""

from collections.abc import Sequence
from pathlib import Path

from calm.data_loaders.catalogue.record import DataSet
from calm.data_loaders.record import Record
from calm.data_loaders.supersets import imagenet_wnids
from calm.errors import UserError


def check_imagenet_classes(data_set: DataSet, data_root: str | Path, records: Sequence[Record]) -> None:
    """Compare the WordNet ids of the classes with ImageNet's 1000, and labels with folders that have such a name.

    Args:
        data_set: whose classes the network has.
        data_root: where it lies.
        records: of its training split.

    Raises:
        UserError: they differ.
    """
    theirs = imagenet_wnids()
    ours = data_set.wnids(data_root)
    if ours != theirs:
        raise UserError(
            f"`pretrained_classifier`: the classes of {data_set.name} are not ImageNet's 1000 in the order of their "
            "WordNet ids; leave it out"
        )
    known = set(theirs)
    for record in records:
        wrong = [folder for folder in Path(record.image_id).parts if folder in known and folder != ours[record.target]]
        if wrong:
            raise UserError(
                f"`pretrained_classifier`: {record.image_id} has label {record.target}, which is {ours[record.target]} "
                "in ImageNet's order; leave it out, or prepare the metadata again"
            )
