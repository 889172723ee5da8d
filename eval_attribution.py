"""Compare attributions, on one checkpoint or several, by the measures of the CAM literature.

The measures are those of evaluation/attribution/measures.py: drop, increase, win, Loc, insertion, deletion and more.

    python eval_attribution.py --load_checkpoint=save/cam/,save/calm/ --attributions=cam,gradcam,joint
"""

import sys
from collections.abc import Sequence

from calm import config, errors


def main(argv: Sequence[str] | None = None) -> None:
    """Judge every attribution of every checkpoint; results/attribution[_<tag>].json in each checkpoint's run folder."""
    args = config.parse(argv, "eval_attribution", about=__doc__)
    checkpoints = list(dict.fromkeys((args.load_checkpoint or "").split(",")))
    if len(checkpoints) > 1 and "experiment_name" in args.given:
        raise errors.UserError(
            "`experiment_name` goes with one checkpoint: without it each run folder gets its own results"
        )
    # What follows is slow to import: --help and a wrong flag should not wait for it.
    from calm.evaluation.attribution import comparison, judged
    from calm.evaluation.attribution.report import print_table
    from calm.evaluation.session import Session, start_session
    from calm.evaluation.uninformed import UNTRAINED

    # All are loaded, and their names looked at, before the first is judged.
    sessions: list[Session] = []
    for checkpoint in checkpoints:
        one_of = args.replaced(load_checkpoint=checkpoint)
        sessions.append(start_session(one_of, "attribution", beside=sessions[0] if sessions else None))
    judged.check_run_folders(sessions)
    judged.check_one_data_set(sessions)
    names = [judged.attributions_of(session) for session in sessions]
    each = [judged.judge_checkpoint(*one) for one in zip(sessions, names, strict=True)]
    labels = [one.labels(several=len(each) > 1) for one in each]
    every_label = [label for own in labels for label in own.values()]
    wins = comparison.wins_of(every_label, [values for one in each for values in one.values.values()])
    means_of: dict[str, dict[str, float]] = {}
    every_baseline, untrained = judged.baselines_of_each(sessions), {}
    for one, own, baselines in zip(each, labels, every_baseline, strict=True):
        untrained |= {own[name]: measures for name, measures in one.untrained.items()}
        beside = baselines | {f"{UNTRAINED}/{name}": measures for name, measures in one.untrained.items()}
        means = {name: comparison.mean_of(values) for name, values in one.values.items()}
        means_of |= {own[name]: mean for name, mean in means.items()}
        details = {"num_images": len(one.session.dataset), "wins": wins, "images": one.details()}
        one.session.write(comparison.with_wins(means, own, wins), details, beside)
    print_table(means_of, every_baseline[0], untrained, wins, sessions[0].args.crop_size)


if __name__ == "__main__":
    sys.exit(errors.run(main))
