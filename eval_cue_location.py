"""Cue localisation: does the map find the parts that tell two bird classes apart? (paper, Section 5.2).

python eval_cue_location.py --load_checkpoint=save/x/ --score_map_process=joint --protocol=released
"""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from calm import errors
from calm.attribution import ATTRIBUTIONS
from calm.attribution.score_map import normalize, resize, smooth
from calm.attribution.several_classes import maps_of_several
from calm.data_loaders.classes import short_name
from calm.data_loaders.cues.annotations import annotations_folder
from calm.data_loaders.cues.pairs import ClassPair, chosen_pairs, class_pairs, differing_parts
from calm.data_loaders.cues.part_maps import CueImages, ExactParts, KeypointParts
from calm.data_loaders.datasets import ImageDataset
from calm.distributed import is_main, print0
from calm.errors import UserError
from calm.evaluation.cue_location.pictures import save_curves, save_samples
from calm.evaluation.cue_location.protocols import (
    Maps,
    PairResult,
    PaperProtocol,
    ReleasedProtocol,
    collect,
    evaluate,
    needed_classes,
    summarise,
)
from calm.evaluation.session import Evaluation, start_evaluation


def pairs_to_evaluate(root: Path, args, num_classes: int) -> list[ClassPair]:
    """Those of --class_pairs, or all with one to three differing parts."""
    differs = differing_parts(root)
    if len(differs) != num_classes:
        raise UserError(f"{root} has attributes of {len(differs)} classes, but the network knows {num_classes}")
    return class_pairs(differs) if args.class_pairs is None else chosen_pairs(args.class_pairs, differs)


def cue_images(dataset: ImageDataset, root: Path, args, classes: Sequence[int]) -> CueImages:
    """The test images of ``classes`` with their part maps."""
    chosen = set(classes)
    indices = [index for index, record in enumerate(dataset.records) if record.target in chosen]
    image_ids = [dataset.records[index].image_id for index in indices]
    if args.cue_masks == "exact":
        return CueImages(dataset, indices, ExactParts(root, image_ids, size=args.crop_size))
    sizes = [dataset.original_size(index) for index in indices]
    part_maps = KeypointParts(root, image_ids, sizes, size=args.crop_size, inside_bird=args.mask_to_segmentation)
    return CueImages(dataset, indices, part_maps)


def score_maker(args, name: str) -> Callable[[Tensor], Tensor]:
    """Raw differences [n,h,w] -> score maps [n,S,S] in [0,1]."""

    def to_scores(difference: Tensor) -> Tensor:
        if ATTRIBUTIONS[name].image_sized:
            difference = smooth(difference, args.smoothing_ksize)
        return normalize(resize(difference, args.crop_size).abs(), args.norm_type)

    return to_scores


def protocol_of(args) -> PaperProtocol | ReleasedProtocol:
    """Exact, or the released bins; says which flags have no effect."""
    if args.protocol == "released":
        return ReleasedProtocol(args.threshold_type, args.cam_curve_interval)
    for flag in ("threshold_type", "cam_curve_interval"):
        if flag in args.given:
            print0(f"notice: --{flag}={args[flag]} has no effect: average precision is exact, without bins")
    return PaperProtocol()


def details_of(results: Sequence[PairResult], image_ids: Sequence[str]) -> list[dict[str, Any]]:
    """A record per pair, classes counted from 1."""
    return [
        {
            "class_a": result.pair.class_a + 1,
            "class_b": result.pair.class_b + 1,
            "parts": result.pair.part_names,
            "num_images": sum(area is not None for area in result.mask_pixels),
            "PxAP": result.pxap,
            "images": [
                {"image_id": image_ids[position], "mask_pixels": area}
                for position, area in zip(result.positions, result.mask_pixels)
            ],
        }
        for result in results
    ]


def print_table(metrics: dict[str, Any], title: str) -> None:
    """mPxAP per number of differing parts."""
    print0(f"\ncue localisation: {title}")
    print0(f"{'differing parts':>16}{'pairs':>7}{'mPxAP':>8}")
    total = sum(metrics[f"num_pairs_{n}"] for n in (1, 2, 3))
    rows = [
        *((str(n), metrics[f"num_pairs_{n}"], metrics[f"mPxAP_{n}"]) for n in (1, 2, 3)),
        ("all", total, metrics["mPxAP"]),
    ]
    for label, count, value in rows:
        print0(f"{label:>16}{count:>7}{'-' if value is None else f'{value:.2f}':>8}")
    if metrics["num_pairs_skipped"]:
        print0(f"skipped: {metrics['num_pairs_skipped']} pairs without images or without a cue pixel")


def draw(evaluation: Evaluation, images: CueImages, maps: Maps, results: Sequence[PairResult], title: str) -> None:
    """results/cue_location[_<tag>]/: precision-recall curves, and some images with their maps."""
    save_curves(evaluation.results_dir / "curves.png", results, title=title)
    names = [short_name(name) for name in images.images.class_names]
    save_samples(
        evaluation.results_dir / "samples.png",
        images,
        maps,
        results,
        names=names,
        mean=evaluation.network.mean,
        std=evaluation.network.std,
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Run it on the test split; results/cue_location[_<tag>].json and pictures beside it."""
    evaluation = start_evaluation(argv, "cue_location", about=__doc__)
    args, network, device = evaluation.args, evaluation.network, evaluation.device
    name = evaluation.attribution_name()
    root = annotations_folder(args.data_root, args.dataset_name)
    dataset = evaluation.dataset()
    pairs = pairs_to_evaluate(root, args, network.num_classes)
    protocol = protocol_of(args)
    needed = needed_classes(pairs)
    images = cue_images(dataset, root, args, list(needed))
    targets = [dataset.records[index].target for index in images.indices]
    maps_of = maps_of_several(name, precision=args.precision, **evaluation.attribution_options(name, dataset))
    maps = collect(
        evaluation.loader(images),
        lambda batch, classes: maps_of(network, batch.to(device, non_blocking=True), classes),
        [needed[target] for target in targets],
    )
    results = evaluate(pairs, maps, targets, score_maker(args, name), protocol, device=device)
    metrics = summarise(results)
    title = f"{args.attribution_method} on {args.dataset_name}, {name}, {args.protocol} protocol"
    print_table(metrics, title)
    image_ids = [dataset.records[index].image_id for index in images.indices]
    details = {"attribution": name, "num_pairs_skipped": metrics["num_pairs_skipped"]}
    evaluation.write(metrics, {**details, "pairs": details_of(results, image_ids)})
    if is_main():
        draw(evaluation, images, maps, results, title)


if __name__ == "__main__":
    sys.exit(errors.run(main))
