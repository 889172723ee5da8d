"""A seeded campaign of faults against a run and its files: what is tried, what survives, what is lost.

    python benchmarks/faults.py --kills 50 --pair_kills 50 --flips 100 --truncations 50 --run_files 50 --seed 1

A fault is lost if work that was written before cannot be had again, or if it ends in anything but one sentence; and
silently wrong if a command ends well with another result than without the fault. Both numbers should be 0.
"""

import argparse
import random
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import measure
import torch
from fault_kinds import to_files, to_runs
from fault_kinds.birds import LOST, SURVIVED, WRONG, Birds

FAULTS: dict[str, Callable[[Birds, random.Random], str]] = {
    "kills": to_runs.kill,
    "pair_kills": to_runs.pair_kill,
    "full_disks": to_runs.full_disk,
    "vanished_folders": to_runs.vanished_folder,
    "twins": to_runs.twins,
    "flips": to_files.flip,
    "truncations": to_files.truncation,
    "run_files": to_files.run_file,
    "image_lists": to_files.image_list,
    "photographs": to_files.photograph,
}


def outcome_of(name: str, seed: str, birds: Birds) -> str:
    """Try one fault; one that did not survive is said, with the seed that brings it back."""
    try:
        outcome = FAULTS[name](birds, random.Random(seed))
    except Exception:
        traceback.print_exc()
        outcome = LOST
    if outcome != SURVIVED:
        logs = "\n".join(path.read_text()[-1500:] for path in sorted(birds.folder.glob("*.log")))
        print(f"{outcome}: {seed}\n{logs}", file=sys.stderr, flush=True)
    return outcome


def campaign(argv: Sequence[str] | None = None) -> None:
    """Run it and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--architecture", default="resnet18", help="also tiny, three convolutions [resnet18]")
    for name, fault in FAULTS.items():
        parser.add_argument(f"--{name}", type=int, default=2, help=(fault.__doc__ or "").splitlines()[0])
    args = vars(parser.parse_args(argv))
    torch.set_num_threads(1)
    outcomes = {}
    with tempfile.TemporaryDirectory() as folder:
        birds = Birds(Path(folder), args["architecture"])
        for name in FAULTS:
            outcomes[name] = Counter(
                outcome_of(name, f"{args['seed']} {name} {number}", birds) for number in range(args[name])
            )
            print(name, dict(outcomes[name]), file=sys.stderr, flush=True)
    total = sum(outcomes.values(), Counter())
    measure.report(
        "faults",
        seed=args["seed"],
        architecture=args["architecture"],
        tried=total.total(),
        survived=total[SURVIVED],
        lost=total[LOST],
        silently_wrong=total[WRONG],
        by_kind={name: dict(counts) for name, counts in outcomes.items()},
    )


if __name__ == "__main__":
    campaign()
