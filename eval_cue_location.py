"""Cue localisation: does the map find the parts that tell two bird classes apart? (paper, Section 5.2).

python eval_cue_location.py --load_checkpoint=save/x/ --score_map_process=joint --protocol=released
"""

import sys
from collections.abc import Sequence

from calm import config, errors


def main(argv: Sequence[str] | None = None) -> None:
    """Run it on the test split, or on val; results/cue_location[_<tag>].json and pictures beside it."""
    args = config.parse(argv, "eval_cue_location", about=__doc__)
    # What follows is slow to import: --help and a wrong flag should not wait for it.
    from calm.data_loaders.cues.annotations import annotations_folder
    from calm.distributed import is_main
    from calm.evaluation.cue_location import cases, report
    from calm.evaluation.cue_location.collect import collect, needed_maps
    from calm.evaluation.cue_location.maps import open_maps
    from calm.evaluation.cue_location.measure import mean_pxap, measure_pairs, summarise, summarise_uninformed
    from calm.evaluation.cue_location.protocols import protocol_maker
    from calm.evaluation.cue_location.resampled import replicates_over_pairs
    from calm.evaluation.cue_location.scores import cue_score
    from calm.evaluation.intervals import interval_of
    from calm.evaluation.session import start_session
    from calm.evaluation.uninformed import UNTRAINED, stated, uninformed_maps
    from calm.evaluation.untrained import untrained

    session = start_session(args, "cue_location")
    args, size = session.args, session.args.crop_size
    root = annotations_folder(args.data_root, args.dataset_name)
    classes = session.network.num_classes if session.restored else None
    pairs = cases.pairs_to_evaluate(root, args.class_pairs, classes)
    masks = {"cue_masks": args.cue_masks, "inside_bird": args.mask_to_segmentation, "points": args.part_points}
    classes_of_pairs = {class_index for pair in pairs for class_index in pair[:2]}
    images = cases.cue_images(session.dataset, root, sorted(classes_of_pairs), size=size, **masks)
    records = [session.dataset.records[index] for index in images.indices]
    targets, image_ids = [record.target for record in records], [record.image_id for record in records]
    maps = open_maps(session, image_ids)
    scaling = {"size": size, "ksize": args.smoothing_ksize, "norm_type": args.norm_type}
    score_of = cue_score(args.cue_score, maps.kind, **scaling, aligned=maps.aligned)
    protocol = protocol_maker(args.protocol, args.threshold_type, args.cam_curve_interval)
    needed = needed_maps(pairs, versus=maps.versus)
    asked = [needed[target] for target in targets]
    other = untrained(session, session.map_name, versus=maps.versus)
    makers = [maps.maps_of, *([open_maps(other, image_ids).maps_of] if other else [])]
    case, device = (targets, score_of, protocol), session.device
    collected, *others = collect(session.loader(images), makers, asked, device=device)
    results = measure_pairs(pairs, collected, *case, device=device, uninformed=uninformed_maps(size))
    metrics, without = summarise(results), summarise_uninformed(results)
    for beside in others:
        without[UNTRAINED] = mean_pxap(measure_pairs(pairs, beside, *case, device=device, intervals=False))
    baselines = stated(without, size)
    by = f"{args.attribution_method} on " if session.restored else ""
    title = f"{by}{args.dataset_name} {args.split}, {maps.name}, {args.protocol} protocol, {args.cue_score} score"
    replicates = replicates_over_pairs([result.resampled for result in results if result.resampled])
    intervals = {name: interval_of(values) for name, values in replicates.items()}
    report.print_table(metrics, baselines, intervals, title, size)
    details = {
        "attribution": maps.name,
        "num_pairs_skipped": metrics["num_pairs_skipped"],
        "pairs": report.details_of(results, image_ids),
        "replicates": {name: values.round(4).tolist() for name, values in replicates.items()},
    }
    session.write(metrics, details, baselines, intervals)
    if is_main():
        report.draw(session.results_folder, images, collected, results, title, maps.aligned)


if __name__ == "__main__":
    sys.exit(errors.run(main))
