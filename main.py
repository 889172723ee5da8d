"""Train one network and measure its test accuracy, or only measure the accuracy of a checkpoint.

python main.py --dataset=CUB --attribution_method=CALM_EM --experiment_name=x
python main.py --config configs/demo.yaml --epochs=10 --seeds 0 1 2
python main.py --is_train=False --load_checkpoint=save/x/
"""

import random
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from calm import config, errors


def read_config(path: Path) -> Mapping[str, Any]:
    """The flags of a run that is to be resumed, from its config.yaml."""
    return config.read_yaml(path, "main", source=f"--resume: {path}")


def main(argv: Sequence[str] | None = None) -> None:
    """Parse the flags, then train or evaluate."""
    args = config.parse(argv, "main", about=__doc__)
    # here, since --help and a wrong flag need no torch, which takes seconds to import
    from calm import distributed
    from calm.attribution.catalogue import resolve_name
    from calm.evaluation.idle_flags import warn_of_idle_flags
    from calm.networks.precision import settle_arithmetic
    from calm.runs import ensure_data, resolved, warn_of_unusual_data
    from calm.training.accuracy import evaluate
    from calm.training.epochs import train
    from calm.training.seeds import train_seeds
    from calm.training.start import started

    args = resolved(args)
    process = distributed.init()
    if args.is_train and args.load_checkpoint and not args.resume:
        args = started(args)
    if args.is_train and not args.resume:
        warn_of_idle_flags(args, "accuracy")
        follows = args.resize_size == config.resize_of(args.crop_size)  # else it is that of ``load_checkpoint``
        if follows and "crop_size" in args.given and "resize_size" not in args.given:
            distributed.print0(f"notice: --resize_size={args.resize_size} follows --crop_size={args.crop_size}")
    resolve_name(args.score_map_process, args.score_map_method, args.attribution_method)  # may be no map: an error
    if args.is_train and args.seed is None and not args.seeds:
        args = args.replaced(seed=distributed.gather(random.SystemRandom().randrange(2**31))[0])
    arithmetic = {"deterministic": args.deterministic, "tf32": args.tf32}
    args = args.replaced(precision=settle_arithmetic(process.device, args.precision, **arithmetic))
    if args.is_train:
        ensure_data(args)
        if not args.resume:
            warn_of_unusual_data(args)
    if args.seeds:
        train_seeds(args, process, read_config=read_config)
    elif args.is_train:
        train(args, process, read_config=read_config)
    else:
        evaluate(args, process)
    distributed.finish()


if __name__ == "__main__":
    sys.exit(errors.run(main))
