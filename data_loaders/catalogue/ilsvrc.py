"""ILSVRC 2012, and ImageNetV2 for validation."""

from collections.abc import Callable
from pathlib import Path

from calm.data_loaders.catalogue.record import DataSet
from calm.data_loaders.classes import wordnet_names
from calm.data_loaders.record import Record
from calm.data_loaders.supersets import ILSVRC_TABLE, TABLES, Supersets, by_name, imagenet_wnids, read_table


def _class_names(root: Path) -> list[str]:
    """Of LOC_synset_mapping.txt, else as torchvision's weights carry them: in the order of the sorted WordNet ids."""
    mapping = root / "LOC_synset_mapping.txt"
    if mapping.is_file():
        listed = wordnet_names(mapping, separator=" ")
        return [listed[wnid] for wnid in sorted(listed)]
    from torchvision.models import ResNet50_Weights  # slow to import, and preparing a data set does without it

    return list(ResNet50_Weights.IMAGENET1K_V1.meta["categories"])


def _wnids(root: Path) -> list[str]:
    mapping = root / "LOC_synset_mapping.txt"
    return sorted(wordnet_names(mapping, separator=" ")) if mapping.is_file() else imagenet_wnids()


def _supersets(num_classes: int, data_root: str | Path) -> Supersets:
    return by_name(list(read_table(TABLES / ILSVRC_TABLE).values()), num_classes)


def _prepare(data_root: Path, say: Callable[[str], None]) -> dict[str, list[Record]]:
    from calm.data_loaders.prepare.ilsvrc import records  # reads images, which the catalogue does without

    return records(data_root, say)


ILSVRC = DataSet(
    name="ILSVRC",
    aliases=("ImageNet",),
    folder="ILSVRC",
    image_roots={"val": ("ILSVRC", "ImageNetV2")},
    read_class_names=_class_names,
    read_wnids=_wnids,
    num_classes=1000,
    supersets=_supersets,
    prepare=_prepare,
)
