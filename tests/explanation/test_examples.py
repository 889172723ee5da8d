"""Which images Figures 3 and 4 show."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from calm.data_loaders.cues.pairs import NO_PART, ClassPair
from calm.errors import UserError
from calm.explanation.examples import (
    BATCH,
    choose_counterfactuals,
    class_probabilities,
    correct_images,
    most_doubtful,
    shows,
)
from tests.tiny_networks import tiny_network


def records(targets):
    return SimpleNamespace(records=[SimpleNamespace(target=target) for target in targets])


def test_probabilities_are_those_of_every_image_in_order():
    network, images = tiny_network("CALM_EM").eval(), torch.randn(BATCH + 3, 3, 16, 16)
    dataset = [(image, 0, index) for index, image in enumerate(images)]
    with torch.no_grad():
        expected = torch.cat([network(image[None]).log_p_y.exp() for image in images])
    torch.testing.assert_close(class_probabilities(network, dataset), expected)


def test_correct_images_are_those_that_every_network_gets_right():
    targets = [0, 1, 2, 0, 1, 2, 0]
    first, second = torch.eye(3)[targets], torch.eye(3)[[0, 1, 1, 0, 2, 2, 1]]
    assert correct_images([first, second], targets) == [0, 1, 3, 5]
    with pytest.raises(UserError, match="train longer"):
        correct_images([first, first.roll(1, dims=1)], targets)


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


TWO_FAMILIES = {0: [0, 1], 1: [0, 1], 2: [2, 3], 3: [2, 3]}
DOUBTS = torch.tensor(
    [
        [0.98, 0.01, 0.01, 0.00],  # sure
        [0.55, 0.43, 0.01, 0.01],  # only its sibling
        [0.50, 0.01, 0.49, 0.00],  # only another family
        [0.20, 0.20, 0.15, 0.45],  # wrong
        [0.50, 0.20, 0.15, 0.15],  # both
        [0.25, 0.45, 0.10, 0.20],  # both, and of class 1
    ]
)


DIFFERS = np.zeros((4, 4, 7), dtype=bool)
DIFFERS[0, 1, 0] = DIFFERS[1, 0, 0] = True


def doubtful(p_y, targets, families=TWO_FAMILIES, showing=range(9)):
    """Which image is chosen, and its sibling, where those of ``showing`` show part 0."""

    def maps(index):
        parts = np.full((4, 4), 0 if index in showing else NO_PART, dtype=np.uint8)
        return parts, np.isin(range(7), parts)

    pair, index = most_doubtful(p_y, records(targets), families, DIFFERS, maps)
    assert pair.class_a == targets[index] and pair.parts == (0,)
    return index, pair.class_b


def test_the_most_doubtful_image_doubts_the_species_and_the_family():
    targets = [0, 0, 0, 0, 0, 1]
    assert doubtful(DOUBTS, targets) == (5, 0)
    assert doubtful(DOUBTS[:5], targets[:5]) == (4, 1)
    assert doubtful(DOUBTS, targets, showing=range(4)) == (1, 1)
    with pytest.raises(UserError, match="differs from a sibling"):
        doubtful(DOUBTS, targets, showing=[3])


def test_where_there_is_one_family_the_sibling_decides():
    p_y = torch.tensor([[0.9, 0.1, 0.0], [0.6, 0.3, 0.1], [0.7, 0.2, 0.1]])
    assert doubtful(p_y, [0, 0, 0], {k: [0, 1, 2] for k in range(3)}) == (1, 1)
