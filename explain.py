"""Explain images: figure, raw maps, a line of JSON and a page where every map of every class can be drawn.

python explain.py bird.jpg --load_checkpoint=save/demo/
python explain.py photos/ --load_checkpoint=save/demo/ --target "Painted Bunting" --versus "Indigo Bunting"
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from calm import config, distributed, errors, runs
from calm.atomic import replacing, write_text
from calm.errors import UserError
from calm.explanation import gallery
from calm.explanation.explainer import Explainer, explainer_of
from calm.explanation.figure import explain_figure
from calm.explanation.image_files import find_images
from calm.explanation.maps import Explanation
from calm.explanation.page import render
from calm.explanation.questions import parse_ask
from calm.flags import Config, flags_of
from calm.networks.checkpoint import CHECKPOINT_KEYS, read_checkpoint
from calm.pictures import save_figure


def parse(argv: Sequence[str] | None) -> Config:
    """Command line -> flags. Those that describe the network are needed for a released checkpoint only."""
    parser = errors.Parser(
        prog="explain.py",
        description=__doc__,
        allow_abbrev=False,
        argument_default=argparse.SUPPRESS,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument("images", nargs="+", metavar="IMAGE", help="an image, a folder of images or a pattern")
    parser.add_argument("--target", help="the class to explain, by name or index from 0 [predicted]")
    parser.add_argument("--versus", help="the class to compare with [the most probable other one]")
    parser.add_argument("--subset", help="classes with commas between them, or superset [superset]")
    parser.add_argument("--out", type=Path, help="folder of the results [results/explain/ in the run folder]")
    flags = flags_of("main")
    known = ("load_checkpoint", "save_root", *CHECKPOINT_KEYS)
    for name in known:
        config.add_flag(parser, flags[name])
    given = vars(parser.parse_args(argv))
    ours = {"target": "predicted", "versus": None, "subset": "superset", "out": None, "compile": False}
    defaults = ours | {name: flags[name].default for name in known}
    return Config(defaults | given | {"given": frozenset(given)})


def start(args: Config) -> tuple[Explainer, Path]:
    """Load the network; returns what explains with it, and the folder for the results."""
    network, checkpoint, args = runs.restore(args, distributed.init().device)
    explainer = explainer_of(
        network,
        args,
        read_checkpoint(checkpoint).get("class_names"),
        source=str(checkpoint),
        say=print,
        need_supersets="subset" in args.given and args.subset == "superset",
    )
    return explainer, args.out or checkpoint.parent / "results" / "explain"


def write(explanation: Explanation, path: Path, out: Path, name: str, *, page: str, in_gallery: bool) -> dict[str, Any]:
    """Write one image's figure, maps and page; returns its line of JSON."""
    save_figure(explain_figure(explanation), out / f"{name}.png", dpi=130)
    with replacing(out / f"{name}.npz") as temporary:
        question = explanation.question
        np.savez_compressed(
            temporary,
            **explanation.maps,
            p_y=explanation.p_y.astype(np.float32),
            target=question.target,
            versus=question.versus,
            subset_classes=np.array(question.subset),
            class_names=np.array(explanation.class_names),
        )
    write_text(out / page, render(explanation, gallery="index.html" if in_gallery else None))
    files = {"figure": f"{name}.png", "maps": f"{name}.npz", "page": page}
    return explanation.summary() | {"image": str(path), "files": files}


def main(argv: Sequence[str] | None = None) -> None:
    """Explain every image that the command line names."""
    args = parse(argv)
    paths = find_images(args.images)
    explainer, out = start(args)
    ask = parse_ask(args.target, args.versus, args.subset, explainer.class_names)
    names, several = gallery.page_names(paths), len(paths) > 1
    lines, cards, unreadable = [], [], 0
    for path, name in zip(paths, names, strict=True):
        try:
            explanation = explainer(path, ask)
        except UserError as error:
            if not several:
                raise
            print(f"left out: {error}", file=sys.stderr)
            unreadable += 1
            continue
        page = f"{name}.html" if several else "index.html"
        line = write(explanation, path, out, name, page=page, in_gallery=several)
        lines.append(json.dumps(line, ensure_ascii=False))
        print(f"{path}: {explanation.sentence(explanation.attribution)}", flush=True)
        if several:
            cards.append(gallery.card(explanation, page))
    if unreadable == len(paths):
        raise UserError(f"none of the {unreadable} images could be explained, nothing was written")
    write_text(out / "explanations.jsonl", "\n".join(lines) + "\n")
    if several:
        write_text(out / "index.html", gallery.render(cards, explainer.model))
    print(f"page: {out / 'index.html'}")
    if unreadable:
        raise UserError(f"{unreadable} of {len(paths)} images could not be explained, see above; the page has the rest")


if __name__ == "__main__":
    sys.exit(errors.run(main))
