"""The paper's qualitative figures, one command each.

    python make_figures.py figure1 --load_checkpoint save/cam/ save/calm_em/ --out figure1.png
    python make_figures.py figure3 --load_checkpoint=save/demo/ --out figure3.png
    python make_figures.py figure4 --load_checkpoint save/cam/ save/calm_ml/ save/calm_em/ --out figure4.png
    python make_figures.py figure6 --load_checkpoint=save/demo/ --image dog.jpg --out figure6.png

Figure 1 shows maps of two classes and their difference, by each network; Figure 3 all maps of one network; Figure 4
why A and not B, by every method, the gradient maps being of the first network; Figure 6 a map added up over the class
alone, the sets of classes above it and all classes.

Without --image the pictures are of the test split. Figures 1, 3 and 6 take a representative one: classified correctly
by every network, of median sureness among the surer half, its cue visible and, for Figure 3, found. Figure 4 draws
some at random among those that every network classifies correctly. Where the data set knows the parts in which two
classes differ, the true cue is outlined.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from munch import Munch

from calm import config, errors
from calm.errors import UserError
from calm.flags import flags_of
from calm.flags.values import natural, positive_int

FIGURES = ("figure1", "figure3", "figure4", "figure6")
"""Those of ``explanation.from_runs``."""
OF_ONE_RUN = ("figure3", "figure6")
DATA_FLAGS = ("data_root", "metadata_root", "crop_size")
DEFAULTS = {"seed": 0, "rows": 2, "image": None, "target": None, "versus": None, "resize_alignment": "receptive_field"}


def parse(argv: Sequence[str] | None) -> Munch:
    """Command line -> flags."""
    parser = errors.Parser(
        prog="make_figures.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("figure", choices=FIGURES, help="which figure of the paper")
    parser.add_argument("--load_checkpoint", nargs="+", required=True, help="runs; one for figure3 and figure6")
    parser.add_argument("--save_root", default="save", help="where runs are looked for [save]")
    parser.add_argument("--out", type=Path, help="file to write, by its suffix png or pdf")
    parser.add_argument("--image", nargs="+", help="images, folders or patterns to show, in place of the test split's")
    parser.add_argument("--target", help="with --image: the class A or y, by name or index from 0 [predicted]")
    parser.add_argument("--versus", help="with --image: the class B or y' [the most probable other one]")
    parser.add_argument("--seed", type=natural, help=f"draws which images are looked at or shown [{DEFAULTS['seed']}]")
    parser.add_argument(
        "--rows", type=positive_int, help=f"figure4: images per number of parts, or images [{DEFAULTS['rows']}]"
    )
    parser.add_argument(
        "--resize_alignment",
        choices=("grid", "receptive_field"),
        help="the cells of maps as tiles, or where the network looks [receptive_field]",
    )
    flags = flags_of("main")
    for name in DATA_FLAGS:
        config.add_flag(parser, flags[name]._replace(default="the run's"))
    given = {name: value for name, value in vars(parser.parse_args(argv)).items() if value is not None}
    args = Munch(DEFAULTS | given, given=frozenset(given))
    _validate(args)
    return args


def _validate(args: Munch) -> None:
    if "out" not in args:
        raise UserError(f"--out is missing: name the file to write, such as {args.figure}.png or {args.figure}.pdf")
    if args.out.suffix not in (".png", ".pdf"):
        raise UserError(f"--out={args.out}: should end in .png or .pdf")
    if args.figure in OF_ONE_RUN and len(args.load_checkpoint) > 1:
        raise UserError(f"--load_checkpoint {' '.join(args.load_checkpoint)}: {args.figure} shows one run")
    if "rows" in args.given and (args.figure != "figure4" or args.image):
        raise UserError(
            "--rows: belongs to figure4 of a test split; other figures show what --image names, or one image"
        )
    if args.image and "seed" in args.given:
        raise UserError(f"--seed={args.seed}: draws images of the test split, and --image names others")
    if not args.image and (idle := sorted(args.given & {"target", "versus"})):
        raise UserError(f"--{idle[0]}: goes with --image; an image of the test split has a class of its own")


def main(argv: Sequence[str] | None = None) -> int:
    """Draw one figure; say where it is and which images it shows."""
    args = parse(argv)

    # loaded after parsing, since torch takes seconds and --help and a wrong flag need none of it
    from calm.explanation import from_runs

    images = from_runs.FIGURES[args.figure](args)
    print(f"{args.out}: shows {', '.join(images)}")
    return 0


if __name__ == "__main__":
    sys.exit(errors.run(main))
