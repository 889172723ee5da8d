"""Which images the paper's figures show."""

from types import SimpleNamespace

import numpy as np
import pytest

from calm.data_loaders.cues.pairs import NO_PART, ClassPair
from calm.errors import UserError
from calm.explanation.examples import choose_counterfactuals, one_per_class, representative, shows


def records(targets):
    return SimpleNamespace(records=[SimpleNamespace(target=target) for target in targets])


def part_maps(index):
    """Image i shows part i % 3 in a third of its pixels, the even ones part 4 too."""
    parts = np.full((6, 6), NO_PART, dtype=np.uint8)
    parts[:2] = index % 3
    parts[4:] = 4 if index % 2 == 0 else NO_PART
    return parts, np.isin(range(7), parts)


def test_the_cue_is_shown_where_all_differing_parts_are():
    pair = ClassPair(0, 1, (0, 4))
    assert [index for index in range(9) if shows(pair, part_maps, index)] == [0, 6]

    def speck(index):
        parts = np.full((20, 20), NO_PART, dtype=np.uint8)
        parts[0, :index] = 0
        return parts, np.isin(range(7), parts)

    assert [shows(ClassPair(0, 1, (0,)), speck, pixels) for pixels in (1, 3, 4, 5)] == [False, False, True, True]


def test_counterfactuals_show_every_differing_part():
    dataset = records([0, 0, 0, 0, 0, 0, 1, 1, 1])
    pairs = [ClassPair(0, 1, (0,)), ClassPair(0, 2, (1,)), ClassPair(1, 2, (5,)), ClassPair(0, 3, (0, 4))]
    for seed in range(5):
        chosen = choose_counterfactuals(pairs, dataset, part_maps, range(9), rows=2, seed=seed)
        assert chosen == choose_counterfactuals(pairs, dataset, part_maps, range(9), rows=2, seed=seed)
        assert {pair for pair, _ in chosen} == {pairs[0], pairs[1], pairs[3]}
        assert all(index in {pairs[0]: (0, 3), pairs[1]: (1, 4), pairs[3]: (0,)}[pair] for pair, index in chosen)
    assert len(choose_counterfactuals(pairs, dataset, part_maps, range(9), rows=1, seed=0)) == 2
    with pytest.raises(UserError, match="no correctly classified"):
        choose_counterfactuals(pairs, dataset, part_maps, [2, 8], rows=1, seed=0)


def test_an_image_is_shown_again_only_where_its_class_has_no_other():
    pairs = [ClassPair(0, 1, (0,)), ClassPair(0, 2, (1,)), ClassPair(0, 3, (0, 4))]
    dataset = records([0] * 3)

    def everything(index):
        parts = np.tile(np.arange(7, dtype=np.uint8), (7, 1))
        return parts, np.ones(7, dtype=bool)

    for seed in range(4):
        chosen = choose_counterfactuals(pairs, dataset, everything, range(3), rows=2, seed=seed)
        assert sorted(index for _, index in chosen) == [0, 1, 2]
        assert {index for _, index in choose_counterfactuals(pairs, dataset, everything, [1], rows=2, seed=seed)} == {1}


def test_images_of_as_many_classes_as_there_are():
    targets = [0, 0, 0, 1, 1, 2]
    for seed in range(4):
        chosen = one_per_class([0, 1, 2, 3, 4], targets, rows=3, seed=seed)
        assert {targets[index] for index in chosen[:2]} == {0, 1} and len(set(chosen)) == 3
    assert len(one_per_class([0, 5], targets, rows=9, seed=0)) == 2


SUREST = {0: 0.2, 1: 0.9, 2: 0.99, 3: 0.8, 4: 0.7, 5: 0.3}
"""The surer half is 2, 1, 3, its middle 1."""


@pytest.mark.parametrize(
    ("shown", "found", "expected"),
    [
        (range(6), None, 1),
        ([2, 3, 4], None, 2),
        ([0, 4, 5], None, 4),
        (range(6), [3, 4], 3),
        (range(6), [0, 5], 5),
        ([4, 0], [], 4),  # no map finds its cue: the first that is shown
    ],
)
def test_the_representative_image_is_neither_the_surest_nor_a_doubtful_one(shown, found, expected):
    is_found = None if found is None else lambda picture: picture in [f"picture {index}" for index in found]
    picture = representative(SUREST, lambda index: f"picture {index}" if index in shown else None, is_found)
    assert picture == f"picture {expected}"


def test_without_a_visible_cue_there_is_no_representative():
    with pytest.raises(UserError, match="shows the parts in which its class differs"):
        representative(SUREST, lambda index: None, None)
