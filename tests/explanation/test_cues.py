"""The true cue that the training's picture outlines."""

import numpy as np
import pytest
from PIL import Image

from calm.data_loaders.datasets import build_dataset
from calm.data_loaders.synthbirds import generate as synthbirds
from calm.data_loaders.synthbirds.classes import bird_classes
from calm.explanation.cues import known_cue


@pytest.fixture(scope="module")
def birds(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cues")
    counts = {"train_per_class": 1, "val_per_class": 1, "test_per_class": 2}
    synthbirds.generate(folder / "dataset", folder / "metadata", num_classes=8, image_size=48, seed=0, **counts)
    places = {"data_root": folder / "dataset", "metadata_root": folder / "metadata"}
    return places, build_dataset("SynthBirds", "test", resize_size=48, crop_size=48, **places)


def test_the_cue_is_what_tells_the_class_from_its_family(birds):
    places, dataset = birds
    flags = {"dataset_name": "SynthBirds", "crop_size": 48, **{key: str(value) for key, value in places.items()}}
    cue, looks = known_cue(flags, dataset, 8), [bird.looks for bird in bird_classes(8)]
    for index, record in enumerate(dataset.records):
        path = places["data_root"] / "SynthBirds" / "part_masks" / record.image_id
        parts = np.asarray(Image.open(path.with_suffix(".png")))
        family = range(record.target // 4 * 4, record.target // 4 * 4 + 4)
        for explained, others in ((record.target, family), (7 - record.target, [7 - record.target])):
            deciding = [n for n in range(7) if any(looks[record.target][n] != looks[k][n] for k in others)]
            assert np.array_equal(cue(index, explained), np.isin(parts, np.array(deciding) + 1))


def test_other_data_sets_do_not_know_it(birds):
    assert known_cue({"dataset_name": "TinyImageNet"}, birds[1], 8) is None
