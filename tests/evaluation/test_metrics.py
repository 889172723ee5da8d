"""Accuracy, and merging as addition."""

import math

import torch

from calm.evaluation.metrics import Accuracy, merge


def test_accuracy_counts_the_most_probable_class():
    accuracy = Accuracy()
    accuracy.update(torch.tensor([[0.1, 0.9], [0.8, 0.2], [0.3, 0.7]]).log(), torch.tensor([1, 0, 0]))
    assert math.isclose(accuracy.compute()["accuracy"], 200 / 3)


def test_merged_equals_serial():
    generator = torch.Generator().manual_seed(0)
    scores, targets = torch.randn(40, 7, generator=generator), torch.randint(0, 7, (40,), generator=generator)
    serial, left, right = Accuracy(), Accuracy(), Accuracy()
    serial.update(scores, targets)
    left.update(scores[:13], targets[:13])
    right.update(scores[13:], targets[13:])
    merge(left, right)
    assert left.compute() == serial.compute()
    assert left.totals()[0].dtype == torch.int64


def test_nothing_counted_is_not_a_number():
    assert math.isnan(Accuracy().compute()["accuracy"])
