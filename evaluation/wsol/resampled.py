"""How sure localisation is: the images drawn again and again, in counts that add up like those of the metrics."""

import numpy as np
import torch
from torch import Tensor

from calm.evaluation.intervals import REPLICATES, poisson_weights

AT_ONCE = 256
"""Images whose counts wait to be drawn together, in one matrix product; adding it up costs as much for fewer."""


class ResampledCounts:
    """The counts of all images, these drawn again R times; the memory does not grow with their number.

    Args:
        shape: of what is counted of an image.
        replicates: R.
    """

    def __init__(self, shape: torch.Size, *, replicates: int = REPLICATES) -> None:
        self._seen = torch.zeros(replicates, 1, dtype=torch.int64)
        self._counts = torch.zeros(replicates, *shape, dtype=torch.int64)
        self._waiting: list[tuple[int, np.ndarray]] = []

    def update(self, counts: np.ndarray, index: int) -> None:
        """Count one image.

        Args:
            counts: of the shape.
            index: the image's place in the data set, which chooses its draws.
        """
        self._waiting.append((index, counts))
        if len(self._waiting) == AT_ONCE:
            self._draw()

    def _draw(self) -> None:
        indices, counts = zip(*self._waiting)
        drawn = torch.from_numpy(poisson_weights(indices, replicates=len(self._seen)))
        self._seen += drawn.sum(dim=1, keepdim=True)
        each = torch.from_numpy(np.stack(counts).reshape(len(indices), -1)).double()
        self._counts += (drawn.double() @ each).long().view_as(self._counts)
        self._waiting = []

    def totals(self) -> list[Tensor]:
        """[images drawn [R,1], their counts [R,...]]."""
        if self._waiting:
            self._draw()
        return [self._seen, self._counts]
