"""Remove-and-classify: erase the most important k % of the pixels and classify again (paper, Section 5.3).

python eval_pixel_perturb.py --load_checkpoint=save/x/ --score_map_process=joint --erase=mean
"""

import sys
from collections.abc import Sequence

from calm import config, errors


def main(argv: Sequence[str] | None = None) -> None:
    """Run it on the test split; results/pixel_perturb[_<tag>].json and pictures beside it."""
    args = config.parse(argv, "eval_pixel_perturb", about=__doc__)
    # What follows is slow to import: --help and a wrong flag should not wait for it.
    from calm.distributed import is_main
    from calm.evaluation.intervals import interval_of
    from calm.evaluation.map_sources import raw_maps_of
    from calm.evaluation.pixel_perturb import report
    from calm.evaluation.pixel_perturb.measure import measure, replicates_of
    from calm.evaluation.session import start_session

    session = start_session(args, "pixel_perturb")
    args, dataset = session.args, session.dataset
    erase, seed = args.erase, args.seed
    name, maps_of = raw_maps_of(session)
    batches = session.predict(session.loader(), name)
    ratio, right = measure(batches, dataset, maps_of, session.log_p_y, erase=erase, seed=seed)
    values = ratio.compute()
    report.print_table(values, name, erase)
    replicates = replicates_of(right)
    intervals = {key: interval_of(values) for key, values in replicates.items()}
    again = {key: values.round(4).tolist() for key, values in replicates.items()}
    details = {**ratio.counts(), "attribution": name, "erase": erase, "seed": seed, "replicates": again}
    session.write(values, details, intervals=intervals)
    if is_main():
        title = f"{args.attribution_method} on {args.dataset_name}: {name}, erased by {erase}"
        report.draw_curves(session.results_folder, values, title)
        sampling = {"erase": erase, "seed": seed, "device": session.device}
        report.draw_samples(session.results_folder, dataset, session.network, maps_of, **sampling)


if __name__ == "__main__":
    sys.exit(errors.run(main))
