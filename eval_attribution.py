"""Compare attributions, on one checkpoint or several, by the metrics of the CAM literature.

The metrics are those of evaluation/attribution_metrics.py: drop, increase, win, Loc, insertion, deletion and more.

    python eval_attribution.py --load_checkpoint=save/cam/,save/calm/ --attributions=cam,gradcam,joint
"""

import sys
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

import config
import errors
from attribution import PRIOR_MAPS, canonical_name
from data_loaders.datasets import ImageDataset
from distributed import gather, print0
from engine import predict
from errors import UserError
from evaluation.attribution_metrics import COLUMNS, Means, Wins
from evaluation.faithfulness import judge
from evaluation.regions import region_of
from evaluation_run import Evaluation, start_evaluation
from metrics import reduce
from networks.precision import autocast

Values = dict[str, Tensor]
"""Column -> one number per image; "index" -> which images of the data set they are."""

BASELINE = "gradcam"
"""Where it is among the attributions, the others of its checkpoint are said to win over it so and so often."""


class Judged(NamedTuple):
    """One checkpoint and, per attribution, the numbers of this process's images."""

    evaluation: Evaluation
    dataset: ImageDataset
    values: dict[str, Values]

    def label(self, name: str, *, several: bool) -> str:
        """The attribution's name, after its run's where there are several checkpoints."""
        return f"{self.evaluation.checkpoint.parent}/{name}" if several else name


def attributions_of(evaluation: Evaluation) -> list[str]:
    """The names to compare on this checkpoint; on a CAM network those that need CALM's prior are left out, aloud."""
    wanted = evaluation.args.attributions
    if not wanted:
        return [evaluation.attribution_name()]
    names = list(dict.fromkeys(canonical_name(name.strip()) for name in wanted.split(",")))
    if evaluation.args.attribution_method == "CAM":
        for name in [name for name in names if name in PRIOR_MAPS]:
            print0(f"notice: {name} needs CALM's prior and is left out for {evaluation.checkpoint}")
            names.remove(name)
    if not names:
        raise UserError(f"--attributions={wanted}: none of them exists for {evaluation.checkpoint}, a CAM network")
    return names


def probability_of(evaluation: Evaluation, classes: Tensor) -> Callable[[Tensor], Tensor]:
    """Images [B,3,H,W] -> p(y|x) of ``classes`` [B]."""

    def probability(images: Tensor) -> Tensor:
        with autocast(evaluation.device, evaluation.args.precision):
            return evaluation.network(images).log_p_y.gather(1, classes[:, None])[:, 0].exp()

    return probability


def judge_checkpoint(evaluation: Evaluation) -> Judged:
    """Run every attribution on this process's images."""
    args, device, dataset = evaluation.args, evaluation.device, evaluation.dataset()
    truth_of = evaluation.truths(dataset)
    makers = {name: evaluation.raw_maps(name, dataset) for name in attributions_of(evaluation)}
    parts: dict[str, list[Values]] = {name: [] for name in makers}
    title = f"{evaluation.checkpoint.parent.name}: {len(makers)} attributions"
    loader = evaluation.loader(dataset)
    for batch in predict(evaluation.network, loader, device=device, precision=args.precision, title=title):
        classes = batch.output.log_p_y.argmax(dim=1) if args.explain == "predicted" else batch.targets
        full = batch.output.log_p_y.gather(1, classes[:, None])[:, 0].exp()
        truths = [truth_of(dataset, index) for index in batch.indices.tolist()]
        regions = torch.stack([region_of(truth, args.regions, args.crop_size) for truth in truths]).to(device)
        for name, maps_of in makers.items():
            values = judge(
                probability_of(evaluation, classes), batch.images, maps_of(batch._replace(targets=classes)), regions,
                full, steps=args.auc_steps, norm_type=args.norm_type,
            )  # fmt: skip
            parts[name].append({key: value.cpu() for key, value in values.items()} | {"index": batch.indices})
    return Judged(evaluation, dataset, {name: joined(items) for name, items in parts.items()})


def joined(parts: Sequence[Values]) -> Values:
    """The numbers of several batches, one after the other; empty where there is no batch."""
    return {key: torch.cat([part[key] for part in parts]) if parts else torch.empty(0) for key in ("index", *COLUMNS)}


def per_image(values: Values, dataset: ImageDataset) -> dict[str, list]:
    """The numbers of all processes in the data set's order: {"image_ids": [...], column: [...]}."""
    everyones = joined(gather(values))
    order = everyones["index"].argsort()
    ids = [dataset.records[int(index)].image_id for index in everyones.pop("index")[order].tolist()]
    return {"image_ids": ids} | {key: column[order].double().tolist() for key, column in everyones.items()}


def mean_of(values: Values) -> dict[str, float]:
    """Column -> mean over the images of all processes."""
    means = Means()
    means.update(values)
    reduce(means)
    return means.compute()


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


def judge_all(argv: Sequence[str]) -> list[Judged]:
    """Judge the checkpoints of --load_checkpoint, which commas separate, on the same images."""
    args = config.parse(argv, "eval_attribution", about=__doc__)
    checkpoints = list(dict.fromkeys((args.load_checkpoint or "").split(",")))
    if len(checkpoints) > 1 and "experiment_name" in args.given:
        raise UserError("--experiment_name goes with one checkpoint: without it each run folder gets its own results")
    judged: list[Judged] = []
    for checkpoint in checkpoints:
        one = judge_checkpoint(start_evaluation([*argv, f"--load_checkpoint={checkpoint}"], "attribution"))
        images = [[record.image_id for record in each.dataset.records] for each in (one, *judged[:1])]
        if images[0] != images[-1]:
            raise UserError(f"--load_checkpoint: {checkpoint} and {checkpoints[0]} do not share one data set")
        judged.append(one)
    return judged


def main(argv: Sequence[str] | None = None) -> None:
    """Judge every attribution of every checkpoint; results/attribution[_<tag>].json in each checkpoint's run folder."""
    judged = judge_all(sys.argv[1:] if argv is None else list(argv))
    labels = {(number, name): one.label(name, several=len(judged) > 1)
              for number, one in enumerate(judged) for name in one.values}  # fmt: skip
    counted = Wins(tuple(labels.values()))
    counted.update(torch.stack([judged[number].values[name]["average_drop"] for number, name in labels]))
    reduce(counted)
    wins = counted.compute()
    rows: dict[str, dict[str, float]] = {}
    for number, (evaluation, dataset, values) in enumerate(judged):
        means = {name: mean_of(value) for name, value in values.items()}
        rows |= {labels[number, name]: mean for name, mean in means.items()}
        for name in means:
            if BASELINE in means and name != BASELINE:
                pair = f"{labels[number, name]} over {labels[number, BASELINE]}"
                means[name] = means[name] | {f"win_over_{BASELINE}": wins[pair]}
        details: dict[str, Any] = {"num_images": len(dataset), "wins": wins}
        details["images"] = {name: per_image(value, dataset) for name, value in values.items()}
        evaluation.write(means, details)
    print_table(rows, wins)


if __name__ == "__main__":
    sys.exit(errors.run(main))
