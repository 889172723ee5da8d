"""Ours beside the peers' on the same inputs in one run: time, ours / theirs, and how far the results agree.

python benchmarks/peers.py [group ...]

torchcam, captum, torchmetrics and scikit-learn come with the extra `peers`. One thread; each pair takes turns
and the fastest run of each counts, in processor time. Below 1 ours is faster. What has no peer but a plain version
stands in the other files here.
"""

import argparse
import time
import warnings
from importlib import import_module
from pkgutil import iter_modules

import measure
import peer_groups
import torch
from peer_groups.pairs import CLASSES, Inputs, Pair


def main() -> None:
    """Print one object with all pairs."""
    groups = [module.name for module in iter_modules(peer_groups.__path__) if module.name != "pairs"]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("groups", nargs="*", metavar="group", choices=[*groups, []], help=", ".join(groups))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--side", type=int, default=128, help="of the images, in pixels")
    parser.add_argument("--batch", type=int, default=8, help="images")
    args = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    inputs, found = Inputs(args.batch, args.side), {}
    for group in args.groups or groups:
        pairs = import_module(f"peer_groups.{group}").pairs(inputs)
        found |= {name: compared(pair, args.repeats) for name, pair in pairs.items()}
    setting = {"network": "resnet18", "classes": CLASSES, "side": args.side, "batch": args.batch}
    measure.report("peers", setting=setting, pairs=found)


def compared(pair: Pair, repeats: int) -> dict[str, str | float]:
    """What is printed of a pair."""
    difference = pair.difference(pair.ours(), pair.theirs())
    both = {"ours": pair.ours, "theirs": pair.theirs}
    times = measure.compare(both, repeats=repeats, of=min, clock=time.process_time)
    return {
        "peer": pair.peer,
        "ratio": round(times["ours"] / times["theirs"], 3),
        "seconds_ours": round(times["ours"], 4),
        "difference": float(f"{difference:.2g}"),
    }


if __name__ == "__main__":
    main()
