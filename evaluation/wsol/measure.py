"""Localisation over a data set: every score map against the true place of its object."""

from collections.abc import Sequence

from calm.data_loaders.datasets import ImageDataset
from calm.data_loaders.truth import TruthReader
from calm.evaluation.file_maps import FileMaps
from calm.evaluation.map_sources import NetworkMaps
from calm.evaluation.metrics import reduce
from calm.evaluation.uninformed import UNINFORMED, UNTRAINED
from calm.evaluation.wsol.scores import Localisation, Scorer, score_all


def measure(
    maps: NetworkMaps | FileMaps,
    dataset: ImageDataset,
    truth_of: TruthReader,
    interval: float,
    ious: Sequence[int],
    *,
    workers: int,
    replicates: int = 0,
) -> tuple[Localisation, dict[str, Localisation]]:
    """Score every map, and on the same images those without knowledge; the counts of all processes together.

    Args:
        maps: of the images of ``dataset``, in this process's share.
        dataset: the images.
        truth_of: (data set, index) -> true boxes and masks.
        interval: step between thresholds.
        ious: levels in percent.
        workers: processes that score, beside this one.
        replicates: how often the images are drawn again, for the intervals.
    """
    scorer = Scorer(interval, tuple(ious), truth_of.size)
    facts = {"boxes": truth_of.has_boxes, "masks": truth_of.has_masks, "ranks": maps.knows_ranks}
    localisation = Localisation(scorer, **facts, replicates=replicates)
    beside = {name: Localisation(scorer, **facts) for name in (*UNINFORMED, *([UNTRAINED] if maps.again else ()))}
    jobs = (((index, ranks), (truth_of(dataset, index), *score_maps)) for index, ranks, score_maps in maps.stream())
    for (index, (rank, *further)), scores in score_all(scorer, jobs, workers=workers):
        localisation.update(scores, rank, index)
        ranks = [*[rank] * len(UNINFORMED), *further]
        for metric, own, its_rank in zip(beside.values(), scores.beside, ranks, strict=True):
            metric.update(own, its_rank, index)
    for metric in (localisation, *beside.values()):
        reduce(metric)
    return localisation, beside
