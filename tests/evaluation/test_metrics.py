"""Accuracy, and merging as addition."""

import math

import torch

from calm.evaluation.metrics import Accuracy


def test_accuracy_counts_the_most_probable_class():
    accuracy = Accuracy()
    accuracy.update(torch.tensor([[0.1, 0.9], [0.8, 0.2], [0.3, 0.7]]).log(), torch.tensor([1, 0, 0]))
    assert math.isclose(accuracy.compute()["accuracy"], 200 / 3)


def test_nothing_counted_is_not_a_number():
    assert math.isnan(Accuracy().compute()["accuracy"])
