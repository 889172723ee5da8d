"""Which parts tell two classes apart: the real annotations' pairs, and a slow version with sets."""

from collections import Counter
from itertools import combinations

import numpy as np
import pytest

from calm.data_loaders.cues.annotations import read_attribute_names, read_class_attributes
from calm.data_loaders.cues.pairs import (
    NO_PART,
    PARTS,
    ClassPair,
    chosen_pairs,
    class_pairs,
    differing_parts,
    parts_of_attribute,
)
from calm.errors import UserError


@pytest.fixture(scope="module")
def annotations(test_data):
    return test_data / "cub_annotations"


def test_cub_has_31_64_and_96_pairs(annotations):
    pairs = class_pairs(differing_parts(annotations))
    assert Counter(len(pair.parts) for pair in pairs) == {1: 31, 2: 64, 3: 96}
    order = [(len(pair.parts), pair.class_a, pair.class_b) for pair in pairs]
    assert order == sorted(order) and all(a < b for _, a, b in order)


def test_differing_parts_equal_sets_of_attributes(annotations):
    names = read_attribute_names(annotations)
    attributes = [set(np.flatnonzero(row)) for row in read_class_attributes(annotations, len(names))]
    differs = differing_parts(annotations)
    assert differs.shape == (200, 200, 7)
    for a, b in combinations(range(0, 200, 7), 2):
        parts = {part for n in attributes[a] ^ attributes[b] for part in parts_of_attribute(names[n])}
        assert set(np.flatnonzero(differs[a, b])) == parts


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("has_bill_length::shorter_than_head", ["head"]),
        ("has_nape_color::blue", ["head"]),
        ("has_eye_color::red", ["head"]),
        ("has_upper_tail_color::grey", ["tail"]),
        ("has_shape::long-legged-like", ["leg"]),
        ("has_wing_pattern::solid", ["wing"]),
        ("has_back_pattern::spotted", ["back"]),
        ("has_breast_and_belly::x", ["belly", "breast"]),
        ("has_size::large_(16_-_32_in)", []),
    ],
)
def test_parts_of_an_attribute(name, parts):
    assert [PARTS[part] for part in parts_of_attribute(name)] == parts


def toy_differences() -> np.ndarray:
    """Five classes: the n-th differs from the first in n parts."""
    has = np.array([[n > part for part in range(7)] for n in range(5)])
    return has[:, None] ^ has[None]


def test_chosen_pairs_keep_their_order_and_count_from_one():
    pairs = chosen_pairs("1-4, 3-2", toy_differences())
    assert pairs == [ClassPair(0, 3, (0, 1, 2)), ClassPair(2, 1, (1,))]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1-5", "head, back, belly, breast"),
        ("2-2", "no part"),
        ("1-6", "from 1 to 5"),
        ("1", "two classes"),
        ("a-b", "two classes"),
        ("1-2,", "two classes"),
        ("0-1", "from 1 to 5"),
        ("1-2,3-2,2-1", "2-1 are there twice"),
    ],
)
def test_bad_pairs_are_named(text, words):
    with pytest.raises(UserError, match=words):
        chosen_pairs(text, toy_differences())


def test_mask_is_the_pixels_of_the_differing_parts():
    part_map = np.array([[0, 1, NO_PART], [6, 2, 0]], dtype=np.uint8)
    assert ClassPair(0, 1, (0, 6)).mask(part_map).tolist() == [[True, False, False], [True, False, True]]
