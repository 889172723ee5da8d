"""From the pixels of a class pair to a precision-recall curve: as the paper says, or with the released bins."""

from collections.abc import Callable
from functools import partial
from typing import Protocol

from calm import distributed
from calm.evaluation.metrics import merge, reduce
from calm.wsol_eval.pixel_ap import CountedPixels, Curve, PixelHistogram, exact_curve, released_edges


class CueProtocol(Protocol):
    """What is asked for the curve of each pair, in their order; each process gives its share of the pixels."""

    is_exact: bool
    """Whether a pair's curve is of that pair alone, so that drawing its images again says how sure it is."""

    def curve_of(self, pixels: CountedPixels) -> Curve | None:
        """Curve of a pair; None without any cue pixel."""


class PaperProtocol:
    """Exact average precision of each pair."""

    is_exact = True

    def curve_of(self, pixels: CountedPixels) -> Curve | None:
        """Curve of a pair, over the pixels of all processes."""
        return exact_curve(pixels, gather=distributed.gather, add=distributed.all_reduce_sum)


class ReleasedProtocol:
    """Average precision of bins that fill up from pair to pair and are never emptied.

    Args:
        threshold_type: "even" or "log".
        interval: step between the edges of the bins.
    """

    is_exact = False

    def __init__(self, threshold_type: str, interval: float) -> None:
        self._all_pairs = PixelHistogram(released_edges(threshold_type, interval))

    def curve_of(self, pixels: CountedPixels) -> Curve | None:
        """Curve of all pairs so far, over the pixels of all processes."""
        this_pair = PixelHistogram(self._all_pairs.edges)
        this_pair.update(pixels)
        reduce(this_pair)
        merge(self._all_pairs, this_pair)
        return self._all_pairs.curve()


def protocol_maker(protocol: str, threshold_type: str, interval: float) -> Callable[[], CueProtocol]:
    """() -> a new protocol: "released", with the arguments of ``ReleasedProtocol``, or "paper", which needs none."""
    if protocol == "released":
        return partial(ReleasedProtocol, threshold_type, interval)
    return PaperProtocol
