import dataclasses

import pytest

from calm.data_loaders.catalogue import DATASETS
from calm.data_loaders.imagenet_classes import check_imagenet_classes
from calm.data_loaders.record import Record
from calm.errors import UserError
from tests.tiny_data import write


def test_ilsvrc_has_imagenet_s_classes_unless_files_say_otherwise(tmp_path):
    first, second = Record("train/n01440764/a.JPEG", 0), Record("train/n01443537/b.JPEG", 1)
    check_imagenet_classes(DATASETS["ILSVRC"], tmp_path, [first, second, Record("val/c.JPEG", 7)])
    with pytest.raises(UserError, match=r"n01443537/b\.JPEG has label 2, which is n01484850"):
        check_imagenet_classes(DATASETS["ILSVRC"], tmp_path, [first, dataclasses.replace(second, target=2)])
    write(tmp_path / "ILSVRC/LOC_synset_mapping.txt", "n01443537 goldfish\nn01440764 tench\n")
    with pytest.raises(UserError, match="the classes of ILSVRC are not ImageNet's 1000"):
        check_imagenet_classes(DATASETS["ILSVRC"], tmp_path, [])


def test_other_data_sets_are_refused(tmp_path):
    write(tmp_path / "tiny-imagenet-200/wnids.txt", "n01443537\nn01440764\n")
    for name in ("TinyImageNet", "CUB"):
        with pytest.raises(UserError, match=f"the classes of {name} are not ImageNet's 1000"):
            check_imagenet_classes(DATASETS[name], tmp_path, [])
