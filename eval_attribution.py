"""Compare attributions, on one checkpoint or several, by the metrics of the CAM literature.

The metrics are those of evaluation/attribution_metrics.py: drop, increase, win, Loc, insertion, deletion and more.

    python eval_attribution.py --load_checkpoint=save/cam/,save/calm/ --attributions=cam,gradcam,joint
"""

import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from calm import config, errors
from calm.attribution import ATTRIBUTIONS, canonical_name
from calm.data_loaders.datasets import ImageDataset
from calm.distributed import print0
from calm.errors import UserError
from calm.evaluation.attribution.comparison import Values, judge_all, mean_of, per_image, wins_of, with_wins
from calm.evaluation.attribution.metrics import COLUMNS
from calm.evaluation.attribution.regions import region_of
from calm.evaluation.session import Evaluation, start_evaluation


class Judged(NamedTuple):
    """One checkpoint and, per attribution, the numbers of this process's images."""

    evaluation: Evaluation
    dataset: ImageDataset
    values: dict[str, Values]

    def labels(self, *, several: bool) -> dict[str, str]:
        """Attribution -> its name, after its run's where there are several checkpoints."""
        return {name: f"{self.evaluation.checkpoint.parent}/{name}" if several else name for name in self.values}

    def image_ids(self) -> list[str]:
        """The images that were judged, over all processes."""
        return [record.image_id for record in self.dataset.records]


def attributions_of(evaluation: Evaluation) -> list[str]:
    """The names to compare on this checkpoint; on a CAM network those that need CALM's prior are left out, aloud."""
    wanted = evaluation.args.attributions
    if not wanted:
        return [evaluation.attribution_name()]
    names = list(dict.fromkeys(canonical_name(name.strip()) for name in wanted.split(",") if name.strip()))
    if not names:
        raise UserError(f"--attributions={wanted}: names no map; give some, such as gradcam,joint")
    if not evaluation.network.head.uses_prior:
        for name in [name for name in names if ATTRIBUTIONS[name].needs_prior]:
            print0(f"notice: {name} needs CALM's prior and is left out for {evaluation.checkpoint}")
            names.remove(name)
    if not names:
        raise UserError(f"--attributions={wanted}: none of them exists for {evaluation.checkpoint}, which has no prior")
    return names


def judge_checkpoint(evaluation: Evaluation, dataset: ImageDataset, names: Sequence[str]) -> Judged:
    """Run the attributions on this process's images."""
    args = evaluation.args
    truth_of = evaluation.truths(dataset)

    def regions_of(indices: Tensor) -> Tensor:
        truths = [truth_of(dataset, index) for index in indices.tolist()]
        return torch.stack([region_of(truth, args.regions, args.crop_size) for truth in truths])

    makers = {name: evaluation.raw_maps(name, dataset) for name in names}
    title = f"{evaluation.checkpoint.parent.name}: {len(makers)} attributions"
    values = judge_all(
        evaluation.predict(evaluation.loader(dataset), title),
        makers,
        log_p_y=evaluation.log_p_y,
        regions_of=regions_of,
        explain=args.explain,
        steps=args.auc_steps,
        norm_type=args.norm_type,
    )
    return Judged(evaluation, dataset, values)


def print_table(rows: dict[str, dict[str, float]], wins: dict[str, float]) -> None:
    """A line per attribution, then who wins how often."""
    width = max(map(len, rows)) + 4
    print0("\n" + " " * width + "".join(f"{column.title:>16}" for column in COLUMNS.values()))
    for label, means in rows.items():
        print0(f"{label:<{width}}" + "".join(f"{means[key]:>16.3f}" for key in COLUMNS))
    if len(rows) > 1:
        print0("\nwin %: how often the drop of the row is below that of the column")
        print0(" " * width + "".join(f"{number:>7}" for number in range(1, len(rows) + 1)))
        for number, label in enumerate(rows, start=1):
            shares = (f"{wins[f'{label} over {other}']:.1f}" if other != label else "" for other in rows)
            print0(f"{f'{number} {label}':<{width}}" + "".join(f"{share:>7}" for share in shares))


def judge_checkpoints(argv: Sequence[str]) -> list[Judged]:
    """Judge the checkpoints of --load_checkpoint, which commas separate, on the same images; first load them all."""
    args = config.parse(argv, "eval_attribution", about=__doc__)
    checkpoints = list(dict.fromkeys((args.load_checkpoint or "").split(",")))
    if len(checkpoints) > 1 and "experiment_name" in args.given:
        raise UserError("--experiment_name goes with one checkpoint: without it each run folder gets its own results")
    evaluations = [start_evaluation([*argv, f"--load_checkpoint={one}"], "attribution") for one in checkpoints]
    datasets = [evaluation.dataset() for evaluation in evaluations]
    images = [[record.image_id for record in dataset.records] for dataset in datasets]
    for checkpoint, others in zip(checkpoints, images, strict=True):
        if others != images[0]:
            raise UserError(f"--load_checkpoint: {checkpoint} and {checkpoints[0]} do not share one data set")
    names = [attributions_of(evaluation) for evaluation in evaluations]
    return [judge_checkpoint(*each) for each in zip(evaluations, datasets, names, strict=True)]


def main(argv: Sequence[str] | None = None) -> None:
    """Judge every attribution of every checkpoint; results/attribution[_<tag>].json in each checkpoint's run folder."""
    judged = judge_checkpoints(sys.argv[1:] if argv is None else list(argv))
    labels = [one.labels(several=len(judged) > 1) for one in judged]
    everyones = [values for one in judged for values in one.values.values()]
    wins = wins_of([label for own in labels for label in own.values()], everyones)
    rows: dict[str, dict[str, float]] = {}
    for one, own in zip(judged, labels, strict=True):
        means = {name: mean_of(values) for name, values in one.values.items()}
        rows |= {own[name]: mean for name, mean in means.items()}
        details: dict[str, Any] = {"num_images": len(one.dataset), "wins": wins}
        details["images"] = {name: per_image(values, one.image_ids()) for name, values in one.values.items()}
        one.evaluation.write(with_wins(means, own, wins), details)
    print_table(rows, wins)


if __name__ == "__main__":
    sys.exit(errors.run(main))
