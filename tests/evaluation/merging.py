"""One check for every metric: what is counted in parts and merged is what is counted in one go."""

import math
from collections.abc import Callable, Sequence

import torch

from calm.evaluation.metrics import Metric, merge


def equal(a: float, b: float) -> bool:
    return a == b or (math.isnan(a) and math.isnan(b))


def assert_merged_equals_serial(make: Callable[[], Metric], updates: Sequence[tuple]) -> None:
    """``updates`` are the arguments of each call of ``update``, dealt out to three parts of which one stays empty."""
    serial, parts = make(), [make() for _ in range(3)]
    for number, arguments in enumerate(updates):
        serial.update(*arguments)
        parts[number % 2].update(*arguments)
    before = [total.clone() for total in parts[1].totals()]
    merged = parts[2]
    merge(merged, parts[1])
    merge(merged, parts[0])
    assert all(torch.equal(a, b) for a, b in zip(parts[1].totals(), before, strict=True)), "merging changed a part"
    for ours, theirs in zip(merged.totals(), serial.totals(), strict=True):
        assert ours.dtype == torch.int64 and torch.equal(ours, theirs)
    ours, theirs = merged.compute(), serial.compute()
    assert list(ours) == list(theirs) and all(equal(ours[name], theirs[name]) for name in ours)
    empty = make().compute()
    assert list(empty) == list(ours) and all(math.isnan(value) for value in empty.values()), (
        "nothing counted is no number"
    )
