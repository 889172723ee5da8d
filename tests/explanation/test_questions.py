"""What a user asks of an image, and how the answer reads."""

import pytest

from calm.data_loaders.classes import display_name
from calm.errors import UserError
from calm.explanation.kinds import CALM_KINDS, sentence, subset_in_words, value_in_words
from calm.explanation.maps import Question
from calm.explanation.questions import Ask, find_class, find_classes

NAMES = ["001.Painted_Bunting", "002.Indigo_Bunting", "003.Summer_Tanager", "004.Least_Tern"]


def test_classes_are_found_by_name_and_index():
    assert find_class("3", NAMES, name="target") == 3
    assert find_class("002.Indigo_Bunting", NAMES, name="target") == 1
    assert find_class("LEAST tern", NAMES, name="target") == 3
    assert find_classes("1, least tern,1", NAMES, name="subset") == (1, 3)
    assert find_classes("tench, Tinca tinca", ["goldfish", "tench, Tinca tinca"], name="subset") == (1,)
    with pytest.raises(UserError, match=r"one of \[0, 1\]"):
        find_class("CRANE", ["crane", "Crane"], name="target")


def test_an_open_question_is_settled_by_the_image():
    supersets = {0: [0, 1], 1: [0, 1], 2: [2]}
    assert Ask().of([2, 0, 1], supersets) == Question(2, 0, (2,))
    assert Ask(target=0).of([2, 0, 1], supersets) == Question(0, 2, (0, 1))
    assert Ask(target=0, versus=1, subset=(2,)).of([2, 0, 1], supersets) == Question(0, 1, (2,))
    rivals = [Ask(versus=1).of(ranking, supersets).versus for ranking in ([2, 0, 1], [1, 2, 0])]
    assert rivals == [1, 2]  # an image that is taken for the rival itself is compared with the next one


def test_words():
    kind = CALM_KINDS["counterfactual"]
    words = {"target": "Tern", "versus": "Gull", "subset": [], "total": 9}
    assert sentence(kind, 0.31, **words) == "Here the cue speaks for Tern rather than Gull, by a probability of 0.31."
    assert "for Gull rather than Tern, by a probability of 0.25" in sentence(kind, -0.25, **words)
    assert sentence(CALM_KINDS["joint"], 0.3141, **words) == "The cue for Tern was here with probability 0.31."
    assert [value_in_words(v, is_probability=True) for v in (0.0, 0.5, 0.00012, 0.999)] == [
        "less than 0.0001",
        "0.5",
        "0.00012",
        "more than 0.99",
    ]
    assert value_in_words(-12.345, is_probability=False) == "-12.3"
    assert [subset_in_words(list(names), 5) for names in ("", "A", "AB", "ABC", "ABCD", "ABCDE")] == [
        "no class",
        "A",
        "A or B",
        "A, B or C",
        "one of 4 classes",
        "any of all 5 classes",
    ]
    names = {NAMES[0]: "Painted Bunting", "n01.x": "n01.x", "a_b": "a b", "0.5_mm": "0.5 mm", "1.5_mm": "1.5 mm"}
    assert [display_name(name) for name in names] == [*names.values()]
