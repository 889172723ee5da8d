"""SynthBirds, the pictures: classes that differ as told, exact annotations, interventions that touch one part only."""

from collections import Counter
from itertools import combinations

import cv2
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from calm.data_loaders.synthbirds.anatomy import SHAPES
from calm.data_loaders.synthbirds.classes import (
    COLORS,
    FAMILIES,
    MAX_CLASSES,
    PARTS,
    PATTERNS,
    attribute_names,
    attributes_of,
    bird_classes,
    differing_parts,
    siblings,
)
from calm.data_loaders.synthbirds.files import interventions
from calm.data_loaders.synthbirds.paint import SCENERY
from calm.data_loaders.synthbirds.render import KEYPOINTS, render
from calm.data_loaders.synthbirds.scene import distractors, occluders

WORDS = {"head": ("bill", "crown", "eye", "forehead", "head", "nape", "throat")}  # words of the cue rule, by part


def parts_by_word(attribute: str) -> set[str]:
    return {part for part in PARTS if any(word in attribute for word in WORDS.get(part, (part,)))}


def test_attributes_belong_to_one_part_and_tell_the_looks():
    for name in attribute_names():
        part = name.removeprefix("has_").split("_")[0]
        assert parts_by_word(name) == {part}, name
    for a, b in combinations(bird_classes(24), 2):
        symmetric = attributes_of(a) ^ attributes_of(b)
        assert {part for name in symmetric for part in parts_by_word(name)} == set(differing_parts(a, b))
        assert symmetric <= set(attribute_names())


@pytest.mark.parametrize(("num_classes", "pairs"), [(12, 6), (24, 12), (MAX_CLASSES, 100)])
def test_families_give_as_many_pairs_of_one_two_and_three_parts(num_classes, pairs):
    classes = bird_classes(num_classes)
    counts = Counter()
    for (i, a), (j, b) in combinations(enumerate(classes), 2):
        number = len(differing_parts(a, b))
        counts[number] += 1
        assert (number <= 3) == (j in siblings(i, num_classes))
    assert [counts[number] for number in range(4)] == [0, pairs, pairs, pairs]
    assert len({frozenset(attributes_of(bird)) for bird in classes}) == num_classes
    assert len({bird.name for bird in classes}) == num_classes


def test_classes_do_not_depend_on_their_number_and_use_known_words():
    assert bird_classes(200)[:7] == bird_classes(7)
    for bird in bird_classes(200):
        assert bird.shape in SHAPES and (bird.family, bird.shape) in FAMILIES
        for part, look in zip(PARTS, bird.looks):
            assert look.pattern in PATTERNS[part] and look.color in COLORS
            assert (look.mark is None) == (look.pattern == "solid") and look.mark != look.color


def test_annotations_agree_with_the_masks():
    classes = bird_classes(28)
    seen = np.zeros(len(KEYPOINTS))
    for number in range(140):
        bird = classes[number % 28]
        drawn = render(bird.looks, (3, number), size=80, shape=bird.shape)
        assert drawn.image.shape == (80, 80, 3) and drawn.image.dtype == np.uint8
        assert set(np.unique(drawn.part_mask)) <= set(range(8))
        assert ((drawn.part_mask > 0) == (drawn.segmentation == 255)).all()
        rows, columns = np.nonzero(drawn.segmentation)
        assert drawn.box == (columns.min(), rows.min(), columns.max(), rows.max())
        for name, (x, y), visible in zip(KEYPOINTS, drawn.keypoints, drawn.visible):
            part = name.split()[-1] if name.split()[-1] in PARTS else "head"
            assert (PARTS[drawn.part_mask[int(y), int(x)] - 1] == part) if visible else (x == y == 0)
        seen += drawn.visible
        assert not drawn.visible[[6, 10]].all(), "one eye at most: a head never faces the viewer"
    share = dict(zip(KEYPOINTS, seen / 140))
    assert min(share[name] for name in ("back", "beak", "belly", "breast", "crown", "nape", "tail", "throat")) > 0.85
    assert share["left wing"] + share["right wing"] > 0.9


def test_the_looks_do_not_move_the_bird():
    a, b = bird_classes(24)[0], bird_classes(24)[21]
    one, other = (render(bird.looks, 5, shape="jay") for bird in (a, b))
    for name in ("part_mask", "segmentation", "keypoints", "visible"):
        assert (getattr(one, name) == getattr(other, name)).all()
    assert (one.image != other.image).any()
    by_name = render(dict(reversed(list(zip(PARTS, a.looks)))), 5, shape="jay")
    assert (by_name.image == one.image).all()


@pytest.mark.parametrize("target", [0, 6, 9, 14, 18])
def test_an_intervention_changes_the_picture_only_at_its_part(target):
    classes = bird_classes(24)
    bird = classes[target]
    whole = render(bird.looks, (8, target), shape=bird.shape)
    kinds = Counter()
    for _, kind, part, _, looks in interventions(target, classes):
        changed = render(looks, (8, target), shape=bird.shape)
        place = whole.part_mask == PARTS.index(part) + 1
        distance = cv2.distanceTransform((~place).astype(np.uint8), cv2.DIST_L2, 5)
        differs = (changed.image != whole.image).any(-1)
        assert differs.sum() > 0.05 * place.sum()
        # A toe's tip can be thinner than a pixel: it shows in the picture and not in the mask.
        assert np.mean(distance[differs] < 2) > 0.95 and distance[differs].max() < 8
        gone = changed.part_mask != whole.part_mask
        assert (gone <= place).all() and (kind == "removed" or not gone.any())
        if kind == "removed":
            assert (gone == place).all()
        kinds[kind] += 1
    assert kinds == {"removed": 7, "swapped": 3}


def test_scenery_never_runs_out_of_surface_numbers():
    for seed in range(400):
        rng = np.random.default_rng(seed)
        assert SCENERY + len(distractors(rng)) + 1 + len(occluders(rng)) <= 128


def test_color_alone_does_not_tell_the_classes():
    classes = bird_classes(4)  # one family: chance is 25 %

    def features(number: int) -> np.ndarray:
        image = render(classes[number % 4].looks, (9, number), size=64, shape=classes[0].shape).image
        counts = cv2.calcHist([image], [0, 1, 2], None, [4, 4, 4], [0, 256] * 3).ravel()
        return np.sqrt(counts / counts.sum())

    x, y = np.stack([features(number) for number in range(480)]), np.arange(480) % 4
    accuracy = LogisticRegression(C=30, max_iter=500).fit(x[:320], y[:320]).score(x[320:], y[320:])
    assert 0.2 < accuracy < 0.7
