"""Birds with a known cause: do maps lie on the parts whose change changes the prediction?

Every test bird of SynthBirds is drawn again with one part removed, or given the look of a rival class.

    python eval_intervention.py --load_checkpoint=save/x/ --attributions=joint,gradcam,gradient
"""

import sys
from collections.abc import Sequence

from calm import config, errors


def main(argv: Sequence[str] | None = None) -> None:
    """Run it on the test split; results/intervention[_<tag>].json and a picture beside it."""
    args = config.parse(argv, "eval_intervention", about=__doc__)
    # What follows is slow to import: --help and a wrong flag should not wait for it.
    from calm.distributed import is_main
    from calm.evaluation.attribution.judged import attributions_of
    from calm.evaluation.intervention import report
    from calm.evaluation.intervention.agreement import counted, summarise
    from calm.evaluation.intervention.run import gathered, judge_session
    from calm.evaluation.session import start_session
    from calm.evaluation.uninformed import stated, uninformed_maps

    session = start_session(args, "intervention")
    names = attributions_of(session)
    own = judge_session(session, names)
    everyone = gathered(own)
    metrics, intervals = summarise(own, everyone)
    size = session.args.crop_size
    report.print_table(metrics, size)
    image_ids = [record.image_id for record in session.dataset.records]
    images = report.details_of(everyone, image_ids)
    details = {"num_images": len(image_ids), "num_counted": counted(everyone), "images": images}
    baselines = stated({name: metrics.pop(name) for name in uninformed_maps(size)}, size)
    session.write(metrics, details, baselines, intervals)
    if is_main():
        title = f"{session.args.attribution_method} on {session.args.dataset_name}, {len(image_ids)} birds"
        report.draw(session.results_folder / "agreement.png", metrics, intervals, title)


if __name__ == "__main__":
    sys.exit(errors.run(main))
