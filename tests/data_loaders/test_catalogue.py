"""The records of the data sets: their classes, and what they say of themselves."""

import subprocess
import sys

import pytest

from calm.command import COMMANDS
from calm.data_loaders.catalogue import DATASETS, DataSet, dataset_named
from calm.data_loaders.catalogue.tiny_imagenet import read_wnids
from calm.errors import UserError
from tests.tiny_data import write


def test_classes_are_counted_and_named(tmp_path):
    fixed = {"CUB": 200, "ILSVRC": 1000, "ImageNet": 1000, "OpenImages": 100}
    assert {name: dataset_named(name).count_classes(tmp_path) for name in fixed} == fixed
    assert dataset_named("CUB").class_names(tmp_path)[:2] == ["0", "1"]
    imagenet = dataset_named("ImageNet").class_names(tmp_path)
    assert imagenet[0] == "tench" and len(imagenet) == 1000
    write(tmp_path / "tiny-imagenet-200/wnids.txt", "n3\nn1\n")
    write(tmp_path / "tiny-imagenet-200/words.txt", "n1\tgoose\nn2\tduck\nn3\tgoldfish, Carassius auratus\n")
    assert dataset_named("TinyImageNet").count_classes(tmp_path) == 2
    assert read_wnids(tmp_path / "tiny-imagenet-200") == ["n3", "n1"]
    assert dataset_named("TinyImageNet").class_names(tmp_path) == ["goldfish, Carassius auratus", "goose"]
    write(tmp_path / "SynthBirds/classes.txt", "1 001.Red_Bird\n2 002.Blue_Bird\n")
    assert dataset_named("SynthBirds").class_names(tmp_path) == ["001.Red_Bird", "002.Blue_Bird"]
    for number in range(100):
        write(tmp_path / f"OpenImages/val/0{number:03d}/x.jpg", "")
    assert dataset_named("OpenImages").class_names(tmp_path)[7] == "0007"


def test_bad_class_lists_are_named(tmp_path):
    with pytest.raises(UserError, match=r"wnids.txt does not exist: unpack tiny-imagenet-200.zip"):
        dataset_named("TinyImageNet").count_classes(tmp_path)
    with pytest.raises(UserError, match=r"SynthBirds/classes.txt does not exist.*calm synthbirds"):
        dataset_named("SynthBirds").count_classes(tmp_path)
    write(tmp_path / "tiny-imagenet-200/wnids.txt", "n1\nn2\nn1\n")
    with pytest.raises(UserError, match=r"wnids.txt, line 3: n1 is listed twice"):
        read_wnids(tmp_path / "tiny-imagenet-200")
    write(tmp_path / "CUB/classes.txt", "1 001.A\n3 003.C\n")
    with pytest.raises(UserError, match=r"classes.txt, line 2: expected '2 <class name>'"):
        dataset_named("CUB").class_names(tmp_path)
    write(tmp_path / "CUB/classes.txt", "1 001.A\n2 002.B\n")
    with pytest.raises(UserError, match=r"CUB names 2 classes, but CUB has 200"):
        dataset_named("CUB").class_names(tmp_path)


def test_real_classes(test_data, tmp_path):
    (tmp_path / "CUB").symlink_to(test_data / "cub_annotations")
    names = dataset_named("CUB").class_names(tmp_path)
    assert len(names) == 200 and names[0] == "001.Black_footed_Albatross"


def test_a_wrong_name_lists_the_right_ones():
    with pytest.raises(
        UserError, match=r"no data set Birds; these are known: CUB, ILSVRC, .*SynthBirds, folder, ImageNet$"
    ):
        dataset_named("Birds")


def test_what_the_records_say(tmp_path):
    """SPEC, section 4."""
    assert {name for name, data_set in DATASETS.items() if data_set.has_truth(tmp_path)[0]} == {
        "CUB",
        "ILSVRC",
        "TinyImageNet",
        "SynthBirds",
    }
    assert {name for name, data_set in DATASETS.items() if data_set.has_truth(tmp_path)[1]} == {
        "OpenImages",
        "SynthBirds",
    }
    assert {name for name, data_set in DATASETS.items() if data_set.has_parts} == {"CUB", "SynthBirds"}
    assert DATASETS["SynthBirds"].made_by == "python -m calm synthbirds"
    assert dataset_named("ImageNet").made_by == "python -m calm prepare ILSVRC"
    assert all(data_set.made_by.split()[3] in COMMANDS for data_set in DATASETS.values())


def test_families_of_synthbirds_partition_the_classes():
    families = DATASETS["SynthBirds"].families(12)
    assert list(families) == list(range(12))
    assert all(target in family and families[family[0]] == family for target, family in families.items())
    assert 1 < max(map(len, families.values())) < 12


def test_names_are_numbers_where_nothing_tells(tmp_path):
    data_set = DataSet(name="Mine", folder="mine", read_class_names=lambda root: [], num_classes=3)
    assert data_set.class_names(tmp_path) == ["0", "1", "2"]
    assert data_set.image_folders("val", tmp_path) == [tmp_path / "mine"]


def test_the_catalogue_imports_no_heavy_library():
    code = (
        "import sys; from calm.data_loaders.catalogue import dataset_named; dataset_named('SynthBirds'); "
        "print([name for name in ('torch', 'torchvision', 'cv2', 'PIL', 'numpy') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
