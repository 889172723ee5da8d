"""Train, evaluate and tabulate every training method, briefly; what is done already is not done again.

At the end the tables of make_tables.py, and every_method.md with a row per method.

python -m experiments.every_method --data_root dataset/ --metadata_root metadata/
python -m experiments.every_method --datasets SynthBirds --methods HaS ADL
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from calm import errors
from calm.atomic import write_text
from calm.data_loaders.metadata import read_records
from calm.errors import UserError
from calm.experiments.markdown import number, rows
from calm.flags.network import METHODS

LIST = Path(__file__).with_suffix(".yaml")
FIGURES = {
    "accuracy %": ("accuracy", "accuracy", 1),
    "mPxAP": ("cue_location", "mPxAP", 1),
    "MaxBoxAccV2": ("wsol", "MaxBoxAccV2", 1),
    "R_30": ("pixel_perturb", "R_30", 2),
}
"""Heading -> evaluation, metric, digits."""


class Step(NamedTuple):
    """A command, and the file that says that it ran."""

    words: list[str]
    """After ``calm``."""
    result: Path


def flags_of(values: Mapping[str, Any]) -> list[str]:
    """Name and value as words of a command line."""
    return [f"--{name}={value}" for name, value in values.items()]


def steps(dataset: str, method: str, entry: Mapping[str, Any], places: Mapping[str, str]) -> Iterator[Step]:
    """A training, then its evaluations.

    Args:
        dataset: its name.
        method: a training method.
        entry: of the list.
        places: ``save_root``, ``data_root`` and ``metadata_root``.
    """
    name = f"short_{dataset}_{method}"
    run = Path(places["save_root"]) / name
    data = {root: places[root] for root in ("data_root", "metadata_root")} | {"mask_root": places["data_root"]}
    few = {"proxy_training_set": True} if "per_class" in entry else {}
    begun = {"resume": True} if (run / "config.yaml").is_file() else {}
    training = {"experiment_name": name, "dataset": dataset, "attribution_method": method, "workers": 0}
    own = entry["train"] | entry["methods"].get(method, {})
    training |= {"save_root": places["save_root"], **data, **own, **few, **begun}
    yield Step(["train", *flags_of(training)], run / "results/accuracy.json")
    for evaluation, flags in entry["evaluate"].items():
        words = ["eval", evaluation, *flags_of({"load_checkpoint": run, "workers": 0, **data, **flags})]
        yield Step(words, run / f"results/{evaluation}.json")


def write_proxy(metadata_root: Path, dataset: str, per_class: int) -> None:
    """The first ``per_class`` training images of every class, in the order of the metadata, as the proxy set."""
    seen: dict[int, int] = {}
    chosen = []
    for record in read_records(metadata_root, dataset, "train"):
        seen[record.target] = seen.get(record.target, 0) + 1
        if seen[record.target] <= per_class:
            chosen.append(record.image_id)
    write_text(metadata_root / dataset / "train" / "image_ids_proxy.txt", "".join(f"{name}\n" for name in chosen))


def page(folders: Sequence[Path]) -> str:
    """Every run's figures, a row each, as Markdown."""
    lines = []
    for folder in folders:
        _, dataset, method = folder.name.split("_", 2)
        line = [dataset, method]
        for evaluation, metric, digits in FIGURES.values():
            path = folder / f"results/{evaluation}.json"
            known = json.loads(path.read_text(encoding="utf-8"))["metrics"] if path.is_file() else {}
            line.append(number(known.get(metric), digits))
        lines.append(line)
    return f"""# Every training method, briefly

`python -m experiments.every_method` trained each for one epoch on few images and evaluated it on few; the list is
`experiments/every_method.yaml`, the map each method's own. It shows that a method trains, evaluates and stands in the
tables; the figures say nothing of how far it gets. Accuracy (guessing gets 8.3 % on SynthBirds, 3.3 % on TinyImageNet's
30 classes), mPxAP and MaxBoxAccV2: higher is better; R_30: lower.

{rows(["data set", "method", *FIGURES], lines)}
"""


def main(argv: Sequence[str] | None = None) -> None:
    """Run what is left; at the end the tables, from all that there is."""
    listed = yaml.safe_load(LIST.read_text(encoding="utf-8"))
    parser = errors.Parser(prog="python -m experiments.every_method", description=__doc__.splitlines()[0])
    parser.add_argument("--datasets", nargs="+", choices=listed, default=list(listed))
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=METHODS)
    parser.add_argument("--save_root", default="save", help="folder of the run folders [save]")
    parser.add_argument("--data_root", default="dataset", help="folder that holds the data sets [dataset]")
    parser.add_argument("--metadata_root", default="metadata", help="folder that holds their metadata [metadata]")
    parser.add_argument("--out", help="folder of the tables [<save_root>/short_tables]")
    args = parser.parse_args(argv)
    for dataset in args.datasets:
        if "per_class" in listed[dataset]:
            write_proxy(Path(args.metadata_root), dataset, listed[dataset]["per_class"])
        for method in args.methods:
            for step in steps(dataset, method, listed[dataset], vars(args)):
                run(step)
    folders = sorted(path for path in Path(args.save_root).glob("short_*_*") if path.is_dir())
    out = Path(args.out or f"{args.save_root}/short_tables")
    run(Step(["tables", *map(str, folders), "--out", str(out)], Path()))
    write_text(out / "every_method.md", page(folders))
    print(f"written: {out / 'every_method.md'}")


def run(step: Step) -> None:
    """Run a step in a process of its own, unless its result is there."""
    if step.result.is_file():
        return
    print(f"calm {' '.join(step.words)}", flush=True)
    if code := subprocess.run([sys.executable, "-m", "calm", *step.words]).returncode:
        raise UserError(f"calm {' '.join(step.words)}: ended with {code}; the same command goes on from here")


if __name__ == "__main__":
    sys.exit(errors.run(main))
