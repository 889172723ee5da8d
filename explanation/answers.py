"""What a network answered to the images of a data set, and which of them a sheet shows."""

from collections.abc import Sequence
from typing import NamedTuple, Self

import torch
from torch import Tensor

from calm.engine import Prediction


class Answers(NamedTuple):
    """Of some images, all [n], on the CPU."""

    indices: Tensor
    """In their data set."""
    targets: Tensor
    predicted: Tensor
    p: Tensor
    """Of the predicted class."""

    @classmethod
    def of(cls, batch: Prediction) -> Self:
        """The answers to a batch."""
        p, predicted = batch.output.log_p_y.max(dim=1)
        return cls(batch.indices, batch.targets.cpu(), predicted.cpu(), p.exp().cpu())

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """Several, one after the other; of none, nothing."""
        if not parts:
            return cls(*(torch.empty(0, dtype=torch.long),) * 3, torch.empty(0))
        return cls(*(torch.cat(fields) for fields in zip(*parts, strict=True)))

    def surest(self, chosen: Tensor) -> list[int]:
        """Positions of those that are ``chosen``, bool [n], the surest first."""
        positions = chosen.nonzero().flatten()
        return positions[self.p[positions].argsort(descending=True, stable=True)].tolist()


RULE = "Of each class the correct answer of which the network is surest; last, its surest mistake."


def sure_and_one_mistake(answers: Answers, count: int) -> list[int]:
    """Positions of ``count`` answers by ``RULE``, by class, then by p; of more classes than fit, some spread over all.

    Without a mistake there are correct answers alone, and without enough of these there are fewer.
    """
    right = answers.predicted == answers.targets
    ranked = answers.surest(right)
    best = {int(answers.targets[position]): position for position in reversed(ranked)}
    mistakes = answers.surest(~right)[:1]
    room = count - len(mistakes)
    classes = sorted(best)
    steps = torch.linspace(0, len(classes) - 1, min(room, len(classes))).round().int().tolist()
    sure = [best[classes[step]] for step in steps]
    sure += [position for position in ranked if position not in sure][: room - len(sure)]
    return sure + mistakes
