"""Cue localisation: does the map find the parts that tell two bird classes apart? (paper, Section 5.2).

python eval_cue_location.py --load_checkpoint=save/x/ --score_map_process=joint --protocol=released
"""

import sys
from collections.abc import Sequence

from calm import config, errors


def main(argv: Sequence[str] | None = None) -> None:
    """Run it on the test split; results/cue_location[_<tag>].json and pictures beside it."""
    args = config.parse(argv, "eval_cue_location", about=__doc__)
    # What follows is slow to import: --help and a wrong flag should not wait for it.
    from calm.attribution.several_classes import maps_of_several
    from calm.data_loaders.cues.annotations import annotations_folder
    from calm.distributed import is_main
    from calm.evaluation.cue_location import cases, report
    from calm.evaluation.cue_location.collect import collect, needed_classes
    from calm.evaluation.cue_location.measure import measure_pairs, summarise, summarise_uninformed
    from calm.evaluation.cue_location.protocols import protocol_maker
    from calm.evaluation.cue_location.scores import cue_score
    from calm.evaluation.session import start_session
    from calm.evaluation.uninformed import stated, uninformed_maps

    session = start_session(args, "cue_location")
    args, name, device = session.args, session.map_name, session.device
    root = annotations_folder(args.data_root, args.dataset_name)
    dataset = session.dataset
    pairs = cases.pairs_to_evaluate(root, args.class_pairs, session.network.num_classes)
    report.warn_of_idle_flags(args, name)
    scaling = {"size": args.crop_size, "ksize": args.smoothing_ksize, "norm_type": args.norm_type}
    aligned = session.aligned(name)
    score_of = cue_score(args.cue_score, name, **scaling, aligned=aligned)
    needed = needed_classes(pairs)
    masks = {"cue_masks": args.cue_masks, "inside_bird": args.mask_to_segmentation, "points": args.part_points}
    images = cases.cue_images(dataset, root, list(needed), size=args.crop_size, **masks)
    records = [dataset.records[index] for index in images.indices]
    targets = [record.target for record in records]
    maps_of = maps_of_several(name, precision=args.precision, **session.attribution_options(name))
    collected = collect(
        session.loader(images),
        lambda batch, classes: maps_of(session.network, batch.to(device, non_blocking=True), classes),
        [needed[target] for target in targets],
    )
    protocol = protocol_maker(args.protocol, args.threshold_type, args.cam_curve_interval)
    beside = uninformed_maps(args.crop_size)
    results = measure_pairs(pairs, collected, targets, score_of, protocol, device=device, uninformed=beside)
    metrics, baselines = summarise(results), stated(summarise_uninformed(results), args.crop_size)
    title = f"{args.attribution_method} on {args.dataset_name}, {name}, {args.protocol} protocol"
    report.print_table(metrics, baselines, title, args.crop_size)
    pairs_in_detail = report.details_of(results, [record.image_id for record in records])
    details = {"attribution": name, "num_pairs_skipped": metrics["num_pairs_skipped"], "pairs": pairs_in_detail}
    session.write(metrics, details, baselines)
    if is_main():
        report.draw(session.results_folder, images, collected, results, title, aligned)


if __name__ == "__main__":
    sys.exit(errors.run(main))
