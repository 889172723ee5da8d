from pathlib import Path

from calm.data_loaders.catalogue import DATASETS
from calm.data_loaders.supersets import imagenet_wnids
from calm.explanation.levels import Level, levels_of


def test_from_the_afghan_hound_to_all_classes(tmp_path: Path):
    target = imagenet_wnids().index("n02088094")
    found = levels_of(DATASETS["ILSVRC"], tmp_path, target, [f"class {k}" for k in range(1000)])
    sizes = {level.name: len(level.classes) for level in found}
    assert sizes == {
        f"class {target}": 1,
        "hound": 19,
        "hunting dog": 63,
        "dog": 118,
        "vertebrate": 330,
        "all classes": 1000,
    }


def test_birds_have_families_and_others_nothing_between(tmp_path: Path):
    names = [f"bird {k}" for k in range(12)]
    found = levels_of(DATASETS["SynthBirds"], tmp_path, 5, names)
    family = DATASETS["SynthBirds"].families(12)[5]
    assert found == [Level("bird 5", (5,)), Level("family", tuple(family)), Level("all classes", tuple(range(12)))]
    assert [level.name for level in levels_of(DATASETS["CUB"], tmp_path, 5, names)] == ["bird 5", "all classes"]
