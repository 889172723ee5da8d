"""The attributions of one checkpoint, judged."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from calm.attribution import ATTRIBUTIONS
from calm.attribution.catalogue import names_in
from calm.attribution.score_map import normalize
from calm.distributed import print0, shard
from calm.engine import Prediction
from calm.errors import UserError
from calm.evaluation.attribution.comparison import (
    Values,
    explained_classes,
    judge_all,
    means_without_knowledge,
    per_image,
    places,
)
from calm.evaluation.attribution.measures import LOCATIONS, enlarged
from calm.evaluation.attribution.metrics import Means, scales_of
from calm.evaluation.attribution.regions import region_of
from calm.evaluation.file_maps import FileMaps
from calm.evaluation.metrics import reduce
from calm.evaluation.raw_maps import raw_maps
from calm.evaluation.session import Session
from calm.evaluation.uninformed import stated
from calm.evaluation.untrained import untrained

IMAGES_PER_PASS = 32
"""Of the curves, without ``eval_batch_size``."""
WITH_ONE_TRUTH = ("crop_size", "dataset_name", "data_root", "metadata_root", "mask_root")
"""Flags that regions, and so the measures of fixed maps, follow."""


class Judged(NamedTuple):
    """One checkpoint and, per attribution, the numbers of this process's images."""

    session: Session
    values: dict[str, Values]
    untrained: dict[str, dict[str, float]]
    """Attribution -> its measures of place for a network with untrained heads; without any truth there are none."""

    def labels(self, *, several: bool) -> dict[str, str]:
        """Attribution -> its name, after its run's where there are several checkpoints."""
        run = self.session.checkpoint.parent
        return {name: f"{run}/{name}" if several else name for name in self.values}

    def details(self) -> dict[str, Any]:
        """The numbers of all images, over all processes."""
        records = self.session.dataset.records
        image_ids = [record.image_id for record in records]
        return {name: per_image(values, image_ids) for name, values in self.values.items()}


def attributions_of(session: Session) -> list[str]:
    """The names to compare on this checkpoint; those that need a prior which it does not have are left out, aloud."""
    has_prior = session.network.head.uses_prior
    wanted, checkpoint = session.args.attributions, session.checkpoint
    if not wanted:
        return [] if session.args.get("scoremap_root") else [session.map_name]
    names = names_in(wanted)
    if not names:
        raise UserError(f"`attributions`={wanted}: names no map; give some, such as gradcam,joint")
    for name in [name for name in names if ATTRIBUTIONS[name].needs_prior and not has_prior]:
        print0(f"notice: {name} needs CALM's prior and is left out for {checkpoint}")
        names.remove(name)
    if not names:
        raise UserError(f"`attributions`={wanted}: none of them exists for {checkpoint}, whose network has no prior")
    return names


def has_regions(session: Session) -> bool:
    """Whether it is known, or said to be, where the objects are."""
    return session.args.regions is not None or session.truths.has_boxes or session.truths.has_masks


def regions_of(session: Session, indices: Sequence[int]) -> Tensor:
    """[n,S,S], True where the objects of some images are."""
    args, truth_of = session.args, session.truths
    truths = [truth_of(session.dataset, index) for index in indices]
    return torch.stack([region_of(truth, args.regions, args.crop_size) for truth in truths])


def baselines_of(session: Session) -> dict[str, dict[str, float]]:
    """The measures of place of maps without knowledge, of the size of this checkpoint's; empty without any truth."""
    if not has_regions(session):
        return {}
    size, own = session.args.crop_size, shard(range(len(session.dataset)))
    return stated(means_without_knowledge((regions_of(session, [index]) for index in own), size), size)


def baselines_of_each(sessions: Sequence[Session]) -> list[dict[str, dict[str, float]]]:
    """``baselines_of`` every checkpoint, measured once for those whose maps have one size and one truth."""
    found: dict[tuple, dict[str, dict[str, float]]] = {}
    keys = [tuple(session.args[name] for name in WITH_ONE_TRUTH) for session in sessions]
    for key, session in zip(keys, sessions, strict=True):
        if key not in found:
            found[key] = baselines_of(session)
    return [found[key] for key in keys]


def with_untrained(
    session: Session, names: Sequence[str], batches: Iterable[Prediction], found: dict[str, Means]
) -> Iterator[Prediction]:
    """The batches, of each of which networks with untrained heads make maps too, which ``found`` counts by place.

    Attributions for which ``untrained`` gives nothing are left out, and all without any truth.
    """
    size, kind = session.args.crop_size, session.args.norm_type
    others = {name: untrained(session, name) for name in (names if has_regions(session) else ())}
    makers = {name: (other.again, raw_maps(other, name)) for name, other in others.items() if other is not None}
    found |= {name: Means(scales_of(LOCATIONS)) for name in makers}
    for batch in batches:
        for name, (again, maps_of) in makers.items():
            own = again(batch)
            own = own._replace(targets=explained_classes(own, session.args.explain))
            maps = normalize(enlarged(maps_of(own), size), kind).cpu()
            found[name].update(places(maps, regions_of(session, batch.indices.tolist())))
        yield batch


def judge_checkpoint(session: Session, names: Sequence[str]) -> Judged:
    """Run the attributions on this process's images; maps of files are judged beside them."""
    args = session.args
    if not has_regions(session):
        print0(f"notice: {args.dataset_name} has no boxes and no masks here: Loc, proportion and pointing are left out")
    makers = {name: raw_maps(session, name) for name in names}
    if args.scoremap_root:
        files = FileMaps(args.scoremap_root, session.dataset, args.crop_size)
        makers[files.name] = files.of_batch
    title = f"{session.checkpoint.parent.name}: {len(makers)} attributions"
    without: dict[str, Means] = {}
    values = judge_all(
        with_untrained(session, names, session.predict(session.loader(), title), without),
        makers,
        log_p_y=session.log_p_y,
        regions_of=lambda indices: regions_of(session, indices.tolist()),
        explain=args.explain,
        steps=args.auc_steps,
        norm_type=args.norm_type,
        images_per_pass=args.eval_batch_size or IMAGES_PER_PASS,
    )
    for means in without.values():
        reduce(means)
    return Judged(session, values, {name: means.compute() for name, means in without.items()})


def check_run_folders(sessions: Sequence[Session]) -> None:
    """Refuse checkpoints of one run folder, whose results and names would be the same."""
    seen: dict[Path, str] = {}
    for session in sessions:
        folder, own = session.folder.resolve(), session.args.load_checkpoint
        if folder in seen:
            raise UserError(
                f"`load_checkpoint`: {seen[folder]} and {own} are in one run folder, where one's results would replace "
                "the other's: evaluate them one after the other, each with a `tag`"
            )
        seen[folder] = own


def check_one_data_set(sessions: Sequence[Session]) -> None:
    """Refuse checkpoints whose images differ."""
    first, *others = sessions
    images = [record.image_id for record in first.dataset.records]
    for other in others:
        if [record.image_id for record in other.dataset.records] != images:
            named = " and ".join(session.args.load_checkpoint for session in (other, first))
            raise UserError(f"`load_checkpoint`: {named} do not share one data set")
