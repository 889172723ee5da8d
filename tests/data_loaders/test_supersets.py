import zipfile
from pathlib import Path

import pytest
import yaml

from calm.data_loaders.catalogue import dataset_named
from calm.data_loaders.prepare.wordnet import Noun, ancestry, nearest_ancestor, read_ancestors, read_nouns
from calm.data_loaders.supersets import (
    ILSVRC_TABLE,
    TABLES,
    WORDNET_TABLE,
    ancestors_of,
    imagenet_wnids,
    read_table,
)
from calm.errors import UserError


def supersets_of(name: str, num_classes: int, data_root: Path) -> dict[int, list[int]]:
    return dataset_named(name).supersets(num_classes, data_root)


def is_partition(supersets: dict[int, list[int]], num_classes: int) -> bool:
    """Every class once, with itself, and the same set for all its members."""
    return list(supersets) == list(range(num_classes)) and all(
        y in members and members == sorted(set(members)) and all(supersets[other] == members for other in members)
        for y, members in supersets.items()
    )


@pytest.mark.parametrize("name", ["CUB", "SynthBirds"])
def test_birds_share_one_superset(name, tmp_path):
    supersets = supersets_of(name, 12, tmp_path)
    assert is_partition(supersets, 12)
    assert supersets[3] == list(range(12))


def test_openimages_classes_stay_alone(tmp_path):
    assert supersets_of("OpenImages", 3, tmp_path) == {0: [0], 1: [1], 2: [2]}


def test_ilsvrc_is_a_partition_with_118_dogs(tmp_path):
    supersets = supersets_of("ILSVRC", 1000, tmp_path)
    wnids = list(read_table(TABLES / ILSVRC_TABLE))
    assert is_partition(supersets, 1000)
    assert wnids == sorted(wnids)
    chihuahua = wnids.index("n02085620")
    assert len(supersets[chihuahua]) == 118
    assert supersets[chihuahua] == list(range(151, 269))  # ILSVRC keeps the dogs together
    assert supersets[wnids.index("n02708093")] == [wnids.index("n02708093")]  # analog clock
    assert supersets_of("ImageNet", 1000, tmp_path) == supersets


def test_ilsvrc_table_agrees_with_the_table_of_all_nouns():
    everything = read_table(TABLES / WORDNET_TABLE)
    for wnid, superset in read_table(TABLES / ILSVRC_TABLE).items():
        assert everything.get(wnid, wnid) == superset


def test_tables_follow_the_curated_list():
    listed = {
        name
        for section in yaml.safe_load((TABLES / "supersets.yaml").read_text()).values()
        for name in section.values()
    }
    assert set(read_table(TABLES / WORDNET_TABLE).values()) == listed
    assert listed == set(read_ancestors(TABLES / "supersets.yaml").values())


def test_tiny_imagenet_follows_the_order_of_its_classes(test_data: Path, tmp_path: Path):
    with zipfile.ZipFile(test_data / "tiny-imagenet-30.zip") as archive:
        wnids = archive.read("tiny-imagenet-200/wnids.txt").decode().split()
        archive.extract("tiny-imagenet-200/wnids.txt", tmp_path)
    supersets = supersets_of("TinyImageNet", len(wnids), tmp_path)
    assert is_partition(supersets, 30)
    together = {frozenset(wnids[k] for k in members) for members in supersets.values()}
    assert frozenset({"n02106662", "n02099712", "n02099601", "n02094433", "n02085620", "n02113799"}) in together  # dogs
    assert frozenset({"n02124075", "n02123045", "n02123394"}) in together  # domestic cats
    assert frozenset({"n02125311"}) in together  # the cougar, a wildcat
    assert frozenset({"n02058221", "n02056570", "n01855672", "n02002724"}) in together  # birds
    assert frozenset({"n04146614", "n04487081"}) in together  # buses
    assert frozenset({"n02814860"}) in together  # beacon


def test_wrong_requests_are_said(tmp_path):
    with pytest.raises(UserError, match="supersets for 1000 classes, the network has 200"):
        supersets_of("ILSVRC", 200, tmp_path)
    with pytest.raises(UserError, match=r"wnids.txt does not exist"):
        supersets_of("TinyImageNet", 200, tmp_path)


def test_missing_or_broken_table(tmp_path: Path):
    with pytest.raises(UserError, match=r"prepare\.wordnet"):
        read_table(tmp_path / ILSVRC_TABLE)
    (tmp_path / ILSVRC_TABLE).write_text("n01440764,fish\nn01443537\n")
    with pytest.raises(UserError, match="line 2"):
        read_table(tmp_path / ILSVRC_TABLE)


def test_nearest_ancestor_wins_and_ties_go_to_the_first_listed():
    hypernyms = {"pug": ["dog"], "dog": ["canine", "pet"], "canine": ["animal"], "pet": ["animal"]}
    assert nearest_ancestor("pug", ["animal", "canine"], hypernyms) == "canine"
    assert nearest_ancestor("pug", ["pet", "canine"], hypernyms) == "pet"
    assert nearest_ancestor("dog", ["animal", "dog"], hypernyms) == "dog"
    assert nearest_ancestor("stone", ["animal"], hypernyms) is None


def test_wordnet_noun_file_is_read(tmp_path: Path):
    path = tmp_path / "data.noun"
    path.write_text(
        "  1 This software and database is being provided to you\n"
        "02084071 05 n 03 dog 0 domestic_dog 0 Canis_familiaris 0 003 @ 02083346 n 0000 #m 07994941 n 0000"
        " @ 01317541 n 0000 | a member of the genus Canis\n"
        "02083346 05 n 02 canine 0 canid 0 000 | any of various fissiped mammals\n"
    )
    nouns = read_nouns(path)
    assert nouns == {"n02084071": Noun("dog", ["n02083346", "n01317541"]), "n02083346": Noun("canine", [])}
    assert ancestry(nouns, ["n02084071"]) == {"n02083346": ",canine", "n02084071": "n02083346,dog"}
    with pytest.raises(UserError, match="wordnet-base"):
        read_nouns(tmp_path / "missing")


def test_what_stands_above_the_afghan_hound(tmp_path):
    wnids = imagenet_wnids()
    hound = wnids.index("n02088094")
    above = dict(ancestors_of(hound, wnids))
    assert list(above)[:3] == ["hound", "hunting dog", "dog"] and list(above)[-1] == "entity"
    assert above["dog"] == supersets_of("ILSVRC", 1000, tmp_path)[hound]
    assert above["entity"] == list(range(1000))
    sizes = [len(classes) for classes in above.values()]
    assert sizes == sorted(sizes) and all(hound in classes for classes in above.values())
    assert ancestors_of(0, ["a folder", *wnids]) == []


def test_an_ancestor_listed_twice_is_an_error(tmp_path: Path):
    (tmp_path / "list.yaml").write_text("a:\n  n01: dog\nb:\n  n02: dog\n")
    with pytest.raises(UserError, match="dog is listed twice"):
        read_ancestors(tmp_path / "list.yaml")
