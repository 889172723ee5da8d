"""List, search, run or report the experiments that docs/results.md rests on.

python -m experiments list
python -m experiments search --data_root dataset/
python -m experiments run birds_CAM birds_CALM_EM --data_root dataset/
python -m experiments report
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from calm import errors
from calm.config import HelpFormatter
from calm.errors import UserError
from calm.experiments import evidence, page, plan, search
from calm.experiments.run import Places, chosen, has_data, run, runnable, state
from calm.experiments.trainings import trainings

DOCS = Path(__file__).resolve().parent.parent / "docs"


def main(argv: Sequence[str] | None = None) -> None:
    """Parse the command and do it."""
    parser = errors.Parser(prog="python -m experiments", description=__doc__, formatter_class=HelpFormatter)
    parser.add_argument(
        "command",
        choices=("list", "search", "run", "report"),
        help="list: what is done and how long the others take; search: try settings on held-out training photographs; "
        "run: make what is missing, after the search where no names are given, then report; report: write the pages",
    )
    parser.add_argument("names", nargs="*", help="beginnings of names of runs; all without any")
    parser.add_argument("--reduced", action="store_true", help="one short seed on small pictures: about 40 minutes")
    parser.add_argument("--save_root", help="folder of the run folders [save; with --reduced save/reduced]")
    parser.add_argument("--data_root", default="dataset", help="folder that holds CUB/ and SynthBirds/ [dataset]")
    parser.add_argument("--metadata_root", default="metadata", help="folder that holds their metadata [metadata]")
    parser.add_argument(
        "--out", help="where results.md and results/ are written [docs; with --reduced docs in --save_root]"
    )
    args = parser.parse_intermixed_args(argv)
    save_root = args.save_root or ("save/reduced" if args.reduced else "save")
    places = Places(save_root, args.data_root, args.metadata_root)
    out = Path(args.out or (Path(save_root) / "docs" if args.reduced else DOCS))
    kept = out / "results" / "evidence"
    if args.command == "search" or (args.command == "run" and not args.names):
        find_settings(search.grid(reduced=args.reduced), places, kept)
    every = list(trainings(reduced=args.reduced, chosen=search.chosen_in(kept)))
    steps = chosen(list(plan.steps(every, reduced=args.reduced)), args.names)
    if args.command == "list":
        print(state(steps, places))
        return
    if args.command == "run":
        todo = runnable(steps, places, print)
        asked = {step.run for step in todo}
        for training in (own for own in every if own.run in asked):
            if other := evidence.trained_otherwise(training, places.save_root):
                raise UserError(f"{other}: move it away, or give another --save_root")
        run(todo, places, print)
    found = evidence.collect(every, places.save_root, kept, print)
    for path in page.write(out, tables=DOCS / "results"):
        print(f"written: {path}")
    print(f"from {len(found)} run folders in {save_root}, and from what was kept before")


def find_settings(listed: Mapping[str, Any], places: Places, kept: Path) -> None:
    """Search, where there are photographs to search on."""
    if has_data(listed["dataset"], places.data_root):
        search.search(listed, places, kept, print)
    else:
        print(f"notice: {places.data_root} has no images of {listed['dataset']}: nothing is searched")


if __name__ == "__main__":
    sys.exit(errors.run(main))
