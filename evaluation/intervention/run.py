"""The birds of one checkpoint under evaluation, drawn again and judged."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from calm.data_loaders.catalogue import DATASETS, dataset_named
from calm.distributed import gather, progress, shard
from calm.engine import Prediction
from calm.errors import UserError
from calm.evaluation.intervention.measure import Case, Effects, Judged, case_of, joined, judge
from calm.evaluation.raw_maps import raw_maps
from calm.evaluation.session import Session
from calm.evaluation.uninformed import uninformed_maps


def cases_of(session: Session) -> Iterator[Case]:
    """This process's share of the test birds, drawn again."""
    args, dataset = session.args, session.dataset
    data_set = dataset_named(args.dataset_name)
    if data_set.redraw is None:
        drawn = " or ".join(name for name, known in DATASETS.items() if known.redraw)
        raise UserError(f"an intervention draws a picture again, which goes with {drawn}, not with {data_set.name}")
    redraw = data_set.redraw(data_set.root(args.data_root))
    for index in progress(shard(range(len(dataset))), "birds"):
        yield case_of(dataset, index, redraw(dataset.records[index].image_id))


def judge_session(session: Session, names: Sequence[str]) -> Judged:
    """Judge the maps ``names`` and the maps without knowledge on this process's birds."""
    device, size = session.device, session.args.crop_size

    def predict(cases: Sequence[Case]) -> Prediction:
        images = torch.stack([case.whole for case in cases])
        numbers = (torch.tensor(own) for own in zip(*((c.target, c.index) for c in cases)))
        (batch,) = session.predict([(images, *numbers)], "birds")
        return batch

    return judge(
        cases_of(session),
        predict,
        lambda images: session.log_p_y(images.to(device)),
        {name: raw_maps(session, name) for name in names},
        uninformed_maps(size),
        batch_size=max(1, session.args.batch_size // 4),  # each bird comes with about a dozen changed pictures
    )


def gathered(own: Judged) -> Judged:
    """The birds of all processes, in the data set's order."""
    every = joined(gather(own), list(own.given))
    order = np.argsort(every.index, kind="stable")
    truth = {question: Effects(found.parts[order], found.together[order]) for question, found in every.truth.items()}
    given = {
        name: {question: values[order] for question, values in found.items()} for name, found in every.given.items()
    }
    return Judged(every.index[order], every.rivals[order], truth, given)
