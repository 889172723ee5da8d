"""Weakly supervised object localisation: do the maps cover the object? Boxes (MaxBoxAcc) and masks (PxAP).

python eval_wsol.py --load_checkpoint=save/x/ --score_map_process=subset --resize_mode=bicubic
python eval_wsol.py --scoremap_root=maps/ --dataset=CUB    # .npy maps of any tool, without a network
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from calm import errors
from calm.data_loaders.classes import short_name
from calm.data_loaders.datasets import ImageDataset
from calm.data_loaders.truth import TruthReader
from calm.distributed import is_main, print0
from calm.errors import UserError
from calm.evaluation.metrics import reduce
from calm.evaluation.session import Evaluation, start_evaluation
from calm.evaluation.wsol.map_sources import FileMaps, NetworkMaps
from calm.evaluation.wsol.pictures import Sample, save_precision_recall, save_samples
from calm.evaluation.wsol.scores import TOP_IOU, Localisation, Scorer, found_box, score_all
from calm.pictures import to_rgb

SAMPLES = 8
"""Images in the picture."""


def open_maps(evaluation: Evaluation, dataset: ImageDataset) -> NetworkMaps | FileMaps:
    """The maps that the flags ask for."""
    args = evaluation.args
    if args.scoremap_root is None:
        name = evaluation.attribution_name()
        return NetworkMaps(
            name=name,
            dataset=dataset,
            loader=evaluation.loader(dataset),
            predict=lambda batches: evaluation.predict(batches, name),
            raw_maps=evaluation.raw_maps(name, dataset),
            size=args.crop_size,
            resize_mode=args.resize_mode,
            norm_type=args.norm_type,
        )
    if not Path(args.scoremap_root).is_dir():
        raise UserError(f"--scoremap_root={args.scoremap_root}: no such folder")
    return FileMaps(Path(args.scoremap_root), dataset, args.crop_size)


def measure(
    maps: NetworkMaps | FileMaps, dataset: ImageDataset, truth_of: TruthReader, scorer: Scorer, *, workers: int
) -> Localisation:
    """Score every map; the counts of all processes together."""
    ranks = isinstance(maps, NetworkMaps)
    localisation = Localisation(scorer, boxes=truth_of.has_boxes, masks=truth_of.has_masks, ranks=ranks)
    jobs = ((rank, (truth_of(dataset, index), score_map)) for index, rank, score_map in maps.stream())
    for rank, scores in score_all(scorer, jobs, workers=workers):
        localisation.add(scores, rank)
    reduce(localisation)
    return localisation


def picture_of(dataset: ImageDataset, index: int) -> np.ndarray | None:
    """[size,size,3] uint8; None where only the metadata is at hand, which is enough for --scoremap_root."""
    try:
        return to_rgb(dataset[index][0], dataset.mean, dataset.std)
    except UserError:
        return None


def draw(
    folder: Path,
    localisation: Localisation,
    maps: NetworkMaps | FileMaps,
    dataset: ImageDataset,
    truth_of: TruthReader,
) -> None:
    """Write samples.png and, for masks, precision_recall.png to ``folder``."""
    title = f"{truth_of.data_set.name}: {maps.name}"
    indices = np.linspace(0, len(dataset) - 1, min(SAMPLES, len(dataset))).round().astype(int).tolist()
    samples = []
    for index, score_map in zip(indices, maps.of(indices)):
        truth = truth_of(dataset, index)
        found = None if truth.boxes is None else found_box(score_map, localisation.best_threshold())
        name = short_name(dataset.class_names[dataset.records[index].target])
        rgb, mask = picture_of(dataset, index), truth.mask(truth_of.size)
        samples.append(Sample(name, rgb, score_map, truth.boxes, found, mask))
    save_samples(folder / "samples.png", samples, title=title)
    if localisation.masks and (curve := localisation.masks.curve()):
        save_precision_recall(folder / "precision_recall.png", curve, title=title)


def print_table(values: dict[str, float], title: str) -> None:
    """A line per metric."""
    print0(f"\n{title}")
    for name, value in values.items():
        print0(f"{name:<14}{value:>8.2f} %")


def main(argv: Sequence[str] | None = None) -> None:
    """Run it on the test split; results/wsol[_<tag>].json and pictures beside it."""
    evaluation = start_evaluation(argv, "wsol", about=__doc__, needs_network=False)
    args = evaluation.args
    if evaluation.network is None and args.scoremap_root is None:
        raise UserError("--load_checkpoint is missing: name a run folder or a file, or give --scoremap_root")
    dataset = evaluation.dataset(need_images=args.scoremap_root is None)
    truth_of = evaluation.truths(dataset)
    if truth_of.has_boxes and TOP_IOU not in args.iou_thresholds:
        print0(f"notice: MaxBoxAcc, Top1Loc and Top5Loc need {TOP_IOU} among --iou_thresholds; they are left out")
    scorer = Scorer(args.cam_curve_interval, tuple(args.iou_thresholds), args.crop_size)
    maps = open_maps(evaluation, dataset)
    localisation = measure(maps, dataset, truth_of, scorer, workers=args.workers)
    values = localisation.compute()
    print_table(values, f"localisation on {args.dataset_name}, {len(dataset)} images: {maps.name}")
    evaluation.write(values, {**localisation.details(), "num_images": len(dataset), "attribution": maps.name})
    if is_main():
        draw(evaluation.results_dir, localisation, maps, dataset, truth_of)


if __name__ == "__main__":
    sys.exit(errors.run(main))
