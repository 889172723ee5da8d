"""Weakly supervised object localisation: do the maps cover the object? Boxes (MaxBoxAcc) and masks (PxAP).

python eval_wsol.py --load_checkpoint=save/x/ --score_map_process=subset --resize_mode=bicubic
python eval_wsol.py --scoremap_root=maps/ --dataset=CUB    # .npy maps of any tool, without a network
"""

import sys
from collections.abc import Sequence

from calm import config, errors


def main(argv: Sequence[str] | None = None) -> None:
    """Run it on the test split; results/wsol[_<tag>].json and pictures beside it."""
    args = config.parse(argv, "eval_wsol", about=__doc__)
    # What follows is slow to import: --help and a wrong flag should not wait for it.
    from calm.distributed import is_main
    from calm.evaluation.intervals import REPLICATES, interval_of
    from calm.evaluation.map_sources import open_maps
    from calm.evaluation.session import start_session
    from calm.evaluation.uninformed import stated
    from calm.evaluation.wsol.measure import measure
    from calm.evaluation.wsol.report import draw, print_table, warn_of_levels

    session = start_session(args, "wsol")
    args, dataset, truth_of = session.args, session.dataset, session.truths
    truth_of.require()
    warn_of_levels(truth_of, args.iou_thresholds)
    maps = open_maps(session)
    thresholds, ious = args.cam_curve_interval, args.iou_thresholds
    counted = {"workers": args.workers, "replicates": REPLICATES}
    localisation, beside = measure(maps, dataset, truth_of, thresholds, ious, **counted)
    values = localisation.compute()
    baselines = stated({name: uninformed.compute() for name, uninformed in beside.items()}, args.crop_size)
    title = f"localisation on {args.dataset_name}, {len(dataset)} images: {maps.name}"
    replicates = localisation.replicates()
    intervals = {name: interval_of(own) for name, own in replicates.items()}
    print_table(values, baselines, intervals, title, args.crop_size)
    details = {
        **localisation.details(),
        "num_images": len(dataset),
        "attribution": maps.name,
        "replicates": {name: own.round(4).tolist() for name, own in replicates.items()},
    }
    session.write(values, details, baselines, intervals)
    if is_main():
        draw(session.results_folder, localisation, maps, dataset, truth_of)


if __name__ == "__main__":
    sys.exit(errors.run(main))
