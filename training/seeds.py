"""One training repeated with several seeds, each a run of its own, and the mean and spread of their accuracies."""

import json
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from calm import distributed
from calm.atomic import write_text
from calm.distributed import Process
from calm.errors import UserError
from calm.flags import Config, recorded
from calm.runs import run_folder
from calm.training.epochs import train
from calm.training.resume import ReadConfig, with_the_run_s_own
from calm.training.run import CONFIG


def run_of(args: Config, seed: int) -> Config:
    """The flags of one seed's run, which is named after it."""
    return args.replaced(seed=seed, seeds=None, experiment_name=f"{args.experiment_name}_seed{seed}")


def finished(args: Config, read_config: ReadConfig) -> Mapping[str, Any] | None:
    """The accuracy.json of a run that reached its last epoch; None of one that did not, or was never begun.

    Raises:
        UserError: it was trained with other flags than those that are given.
    """
    written = run_folder(args) / CONFIG
    if not written.is_file():
        return None
    args = with_the_run_s_own(args, read_config(written), written)
    result = _accuracy(args)
    return result if result is not None and result["details"].get("epochs", 0) >= args.epochs else None


def _accuracy(args: Config) -> Mapping[str, Any] | None:
    path = run_folder(args) / "results" / "accuracy.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if not {"metrics", "details", "checkpoint"} <= content.keys() or "accuracy" not in content["metrics"]:
            raise ValueError("of another evaluation")
        return content
    except FileNotFoundError:
        return None
    except (ValueError, AttributeError, TypeError) as error:
        raise UserError(f"{path}: is no results file; move it away, and the accuracy is measured again") from error


def train_seeds(args: Config, process: Process, *, read_config: ReadConfig) -> None:
    """Train the runs of ``seeds`` that are missing or unfinished, one after the other, then state mean and spread.

    Each run is what ``seed`` alone would give under the run's name, so it can be evaluated, and set in a table, like
    any other.

    Args:
        args: flags, with ``seeds``.
        process: this one.
        read_config: see ``train``.
    """
    results: list[Mapping[str, Any]] = []
    for seed in args.seeds:
        own = run_of(args, seed)
        result = None if args.override_cache else finished(own, read_config)
        if result is None:
            begun = (run_folder(own) / CONFIG).is_file() and not args.override_cache
            train(own.replaced(resume=begun), process, read_config=read_config)
            result = _accuracy(own) or {}
        else:
            distributed.print0(f"seed {seed}: {run_folder(own)} is complete")
        results.append(result)
    if distributed.is_main():
        _summarise(args, results)


def _summarise(args: Config, results: Sequence[Mapping[str, Any]]) -> None:
    """Print the accuracies with mean and standard deviation (n - 1), and write them beside the runs."""
    values = [result["metrics"]["accuracy"] for result in results]
    mean, std = statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else None
    spread = "" if std is None else f" ± {std:.2f}"
    listed = ", ".join(f"{value:.2f} (seed {seed})" for seed, value in zip(args.seeds, values, strict=True))
    path = Path(args.save_root) / f"{args.experiment_name}_seeds.json"
    runs = [
        {"seed": seed, "accuracy": value, "checkpoint": result["checkpoint"]}
        for seed, value, result in zip(args.seeds, values, results, strict=True)
    ]
    metrics = {"accuracy": mean, "accuracy_std": std}
    content = {"config": recorded(args), "metrics": metrics, "runs": runs}
    write_text(path, json.dumps(content, indent=1) + "\n")
    print(f"test accuracy over {len(values)} seeds: {mean:.2f}{spread} % (higher is better): {listed}")
    print(f"results: {path}; all runs in a table: python make_tables.py {args.save_root}/{args.experiment_name}_seed*/")
