"""Explain images: figure, raw maps, a line of JSON and a page where every map of every class can be drawn.

python explain.py bird.jpg --load_checkpoint=save/demo/
python explain.py photos/ --load_checkpoint=save/x/ --target "Painted Bunting" --versus "Indigo Bunting"
python explain.py clip.mp4 --load_checkpoint=save/demo/ --video maps.mp4
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from calm import config, errors
from calm.flags import FROM_CHECKPOINT, Config, flags_of, names

OF_PAGES = ("versus", "subset", "interactions", "out")
"""Flags that a video has no use for."""


def parse(argv: Sequence[str] | None) -> Config:
    """Command line -> flags. Those that describe the network are needed for a released checkpoint only."""
    parser = errors.Parser(
        prog="explain.py",
        description=__doc__,
        allow_abbrev=False,
        argument_default=argparse.SUPPRESS,
        formatter_class=config.HelpFormatter,
    )
    parser.add_argument(
        "images", nargs="+", metavar="IMAGE", help="an image, a folder of images or a pattern; with --video a video too"
    )
    parser.add_argument("--target", help="the class to explain, by name or index from 0 [predicted]")
    parser.add_argument("--versus", help="another class to compare with [the most probable other one]")
    parser.add_argument("--subset", help="classes with commas between them, or superset [superset]")
    parser.add_argument(
        "--interactions",
        choices=("auto", "on", "off"),
        help="the page tells which cells act together, by Taylor-CAM, of networks with a prior "
        "[auto: where it takes seconds]",
    )
    parser.add_argument("--out", type=Path, help="folder of the results [results/explain/ in the run folder]")
    parser.add_argument("--video", type=Path, help="only draw maps over the frames of a video or folder: .mp4 or .gif")
    parser.add_argument("--fps", type=float, help="frames a second of --video [those of the video, else 10]")
    aligned = flags_of()["resize_alignment"]._replace(
        default="receptive_field", help="draw the cells of maps where the network looks, or as tiles (grid)"
    )
    flags = flags_of("main") | {"resize_alignment": aligned, "cell_offset": flags_of()["cell_offset"]}
    called, stated = ("load_checkpoint", "save_root", "resize_alignment", "cell_offset"), names(stated=True)
    for name in called:
        config.add_flag(parser, flags[name])
    group = parser.add_argument_group("data and network", FROM_CHECKPOINT)
    for name in stated:
        config.add_flag(group, flags[name])
    known = (*called, *stated)
    given = vars(parser.parse_args(argv))
    if "video" in given and (idle := [name for name in OF_PAGES if name in given]):
        raise errors.UserError(f"--{idle[0]}: is of figures and pages; --video draws the map of one class, --target")
    if "fps" in given and "video" not in given:
        raise errors.UserError(f"--fps={given['fps']:g}: goes with --video")
    ours = dict.fromkeys(("versus", "out", "video", "fps"))
    ours |= {"target": "predicted", "subset": "superset", "compile": False, "interactions": "auto"}
    defaults = ours | {name: flags[name].default for name in known}
    return Config(defaults | given | {"given": frozenset(given)})


def main(argv: Sequence[str] | None = None) -> None:
    """Explain every image that the command line names."""
    args = parse(argv)

    # loaded after parsing, since torch takes seconds and --help and a wrong flag need none of it
    from calm import distributed, runs
    from calm.explanation.explainer import explainer_of
    from calm.explanation.image_files import find_images
    from calm.explanation.questions import parse_ask
    from calm.explanation.results import explain_files

    paths = find_images(args.images)
    network, flags, checkpoint, _, class_names = runs.restore(args, distributed.init().device)
    explainer = explainer_of(
        network,
        flags,
        class_names,
        source=str(checkpoint),
        say=lambda notice: print(errors.as_flags(notice)),
        need_supersets="subset" in args.given and args.subset == "superset",
    )
    ask = parse_ask(args.target, args.versus, args.subset, explainer.class_names)
    if args.video:
        from calm.explanation.video import explain_video

        said = explain_video(explainer, args.images, ask, args.video, fps=args.fps)
        print(f"written: {args.video}, {said}")
        return
    explain_files(explainer, paths, ask, args.out or checkpoint.parent / "results" / "explain")


if __name__ == "__main__":
    sys.exit(errors.run(main))
