"""A trained network as a file of another framework, with its maps and probabilities as named outputs.

calm export save/demo/ --format onnx            # save/demo/model.onnx, and model.onnx.json beside it
calm export save/demo/ --format pt2 --out x.pt2
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from calm import errors
from calm.errors import UserError

FORMATS = ("onnx", "torchscript", "pt2")


def main(argv: Sequence[str] | None = None) -> None:
    """Export, run the file, and say how near it is to the network."""
    parser = errors.Parser(
        prog="python -m calm export",
        description=__doc__,
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("run", metavar="RUN", help="a run folder, a checkpoint file, zoo:NAME or hf:OWNER/NAME")
    parser.add_argument("--format", choices=FORMATS, default="onnx", help="[onnx]")
    parser.add_argument("--out", type=Path, help="the file [model.onnx, .pt or .pt2 beside the checkpoint]")
    args = parser.parse_args(argv)

    # loaded after parsing, since torch takes seconds and --help and a wrong word need none of it
    from calm.networks.checkpoint_files import locate_checkpoint
    from calm.runs import of_one_state
    from calm.sharing import formats

    suffix = formats.FORMATS[args.format].suffix
    if args.out is not None and args.out.suffix != suffix:
        raise UserError(f"`out`={args.out}: should end in {suffix}")
    checkpoint = locate_checkpoint(args.run)
    loaded, checksum = of_one_state(checkpoint)
    path = args.out or checkpoint.parent / f"model{suffix}"
    network = loaded.network.requires_grad_(False)  # what the file gives needs no detach
    facts = {"size": loaded.config.get("crop_size", 224), "class_names": loaded.class_names, "sha256": checksum}
    difference = formats.export(network, args.format, path, **facts)
    print(f"written: {path}; its outputs differ from the network's by {difference:.0e} of their maximum")


if __name__ == "__main__":
    sys.exit(errors.run(main))
