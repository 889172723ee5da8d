"""The paper's qualitative figures on SynthBirds, one command each.

    python make_figures.py figure3 --load_checkpoint=save/demo/ --out figure3.png
    python make_figures.py figure4 --load_checkpoint save/cam/ save/calm_ml/ save/calm_em/ --out figure4.png

Figure 3 shows the maps of one test image: of those classified correctly, the one about which the network is in doubt
most. Figure 4 shows images drawn at random among those that every network classifies correctly; its gradient columns
are of the first network.
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

FIGURES = ("figure3", "figure4")
"""Those of ``explanation.from_runs``."""
DATA_FLAGS = ("data_root", "metadata_root", "crop_size")
FIGURE4 = {"seed": 0, "rows": 2}
"""Flags of figure4 alone, and their defaults."""


def parse(argv: Sequence[str] | None) -> Munch:
    """Command line -> flags."""
    parser = errors.Parser(
        prog="make_figures.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("figure", choices=FIGURES, help="which figure of the paper")
    parser.add_argument("--load_checkpoint", nargs="+", required=True, help="figure3: a run; figure4: runs")
    parser.add_argument("--save_root", default="save", help="where runs are looked for [save]")
    parser.add_argument("--out", type=Path, help="file to write, by its suffix png or pdf")
    parser.add_argument("--seed", type=natural, help=f"figure4: draws which images are shown [{FIGURE4['seed']}]")
    parser.add_argument("--rows", type=positive_int, help=f"figure4: images per number of parts [{FIGURE4['rows']}]")
    flags = flags_of("main")
    for name in DATA_FLAGS:
        config.add_flag(parser, flags[name]._replace(default="the run's"))
    given = {name: value for name, value in vars(parser.parse_args(argv)).items() if value is not None}
    args = Munch(FIGURE4 | given, given=frozenset(given))
    _validate(args)
    return args


def _validate(args: Munch) -> None:
    if "out" not in args:
        raise UserError(f"--out is missing: name the file to write, such as {args.figure}.png or {args.figure}.pdf")
    if args.out.suffix not in (".png", ".pdf"):
        raise UserError(f"--out={args.out}: should end in .png or .pdf")
    if args.figure == "figure3" and len(args.load_checkpoint) > 1:
        raise UserError(f"--load_checkpoint {' '.join(args.load_checkpoint)}: figure3 shows one run")
    if args.figure == "figure3" and (unused := sorted(args.given & set(FIGURE4))):
        raise UserError(f"--{unused[0]}: belongs to figure4; nothing is drawn at random for figure3")


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
