"""The paper's qualitative figures on SynthBirds, one command each.

    python make_figures.py figure3 --load_checkpoint=save/demo/
    python make_figures.py figure4 --load_checkpoint save/cam/ save/calm_ml/ save/calm_em/
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from munch import Munch
from PIL import Image

import config
import distributed
import errors
import runs
from data_loaders import synthbirds
from data_loaders.classes import display_name
from data_loaders.cub_annotations import annotations_folder
from data_loaders.cub_cues import PARTS, class_pairs, differing_parts
from data_loaders.cub_part_maps import ExactParts
from data_loaders.images import read_rgb
from data_loaders.metadata import Record
from data_loaders.synthbirds_classes import siblings
from errors import UserError
from explanation.contrast import BASELINES, Contrast, contrast_figure, counterfactual_map
from explanation.examples import choose_contrasts, correct_images
from explanation.explainer import Explainer
from explanation.questions import Ask
from explanation.strip import strip_figure
from flags import natural, positive_int
from networks.network import Network
from pictures import save_figure

DATA_FLAGS = ("data_root", "metadata_root", "crop_size")


def parse(argv: Sequence[str] | None) -> Munch:
    """Command line -> flags."""
    parser = errors.Parser(
        prog="make_figures.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("figure", choices=("figure3", "figure4"), help="which figure of the paper")
    parser.add_argument("--load_checkpoint", nargs="+", required=True, help="figure3: a run; figure4: runs")
    parser.add_argument("--save_root", default="save", help="where runs are looked for [save]")
    parser.add_argument("--out", type=Path, help="file, by its suffix png or pdf [docs/results/<figure>.png]")
    parser.add_argument("--seed", type=natural, default=0, help="draws which images are shown [0]")
    parser.add_argument("--rows", type=positive_int, default=2, help="figure4: images per number of parts [2]")
    flags = config.flags_of("main")
    for name in DATA_FLAGS:
        config.add_flag(parser, flags[name]._replace(default="the run's"))
    given = {name: value for name, value in vars(parser.parse_args(argv)).items() if value is not None}
    args = Munch({"out": Path("docs/results") / f"{given['figure']}.png"} | given, given=frozenset(given))
    if args.out.suffix not in (".png", ".pdf"):
        raise UserError(f"--out={args.out}: should end in .png or .pdf")
    if args.figure == "figure3" and len(args.load_checkpoint) > 1:
        raise UserError(f"--load_checkpoint {' '.join(args.load_checkpoint)}: figure3 shows one run")
    return args


def load(args: Munch, checkpoint: str) -> tuple[Network, Munch]:
    """One run's network and flags."""
    flags = {name: flag.default for name, flag in config.flags_of("main").items()}
    run = Munch(flags | args, load_checkpoint=checkpoint)
    network, path = runs.restore(run, distributed.init().device)
    if run.dataset_name != synthbirds.NAME:
        raise UserError(f"{path}: was trained on {run.dataset_name}; the figures need SynthBirds, whose cues are known")
    run.label = path.parent.name
    return network, run


def shows_all(record: Record, *, margin: int = 4) -> bool:
    """Whether the whole object is in the picture, ``margin`` pixels from its edges."""
    (x0, y0, x1, y1), (width, height) = record.boxes[0], record.size
    return min(x0, y0) >= margin and x1 < width - margin and y1 < height - margin


def figure3(args: Munch) -> None:
    """Attribution, conditional, saliency, subset (the class's family) and counterfactual of one image."""
    network, run = load(args, args.load_checkpoint[0])
    dataset = runs.evaluation_dataset(run, network, "test")
    correct = correct_images([network], dataset, next(network.parameters()).device)
    whole = [index for index in correct if shows_all(dataset.records[index])]
    index = int(np.random.default_rng(args.seed).choice(whole or correct))
    target = dataset.records[index].target
    family = siblings(target, network.num_classes)
    supersets = {target: sorted([target, *family])}
    model = f"{run.attribution_method} · {run.architecture} · {run.dataset_name}"
    explainer = Explainer(network, run.crop_size, dataset.class_names, supersets, model)
    first = explainer(dataset.image_path(index), Ask(target=target))
    rival = max(family, key=lambda sibling: first.p_y[sibling]) if family else None
    save_figure(strip_figure(explainer(dataset.image_path(index), Ask(target=target, versus=rival))), args.out, dpi=200)


def columns(loaded: Sequence[tuple[Network, Munch]]) -> dict[str, tuple[Network, str]]:
    """Column -> network and attribution: the baselines on the first network, then every network's own map."""
    named = {name: (loaded[0][0], attribution) for name, attribution in BASELINES.items()}
    methods = [run.attribution_method for _, run in loaded]
    for network, run in loaded:
        unique = methods.count(run.attribution_method) == 1
        own = "joint" if network.head.uses_prior else "cam"
        named[run.attribution_method if unique else run.label] = (network, own)
    return named


def figure4(args: Munch) -> None:
    """Counterfactual maps of all methods beside the true cue."""
    loaded = [load(args, checkpoint) for checkpoint in args.load_checkpoint]
    run, device = loaded[0][1], next(loaded[0][0].parameters()).device
    dataset = runs.evaluation_dataset(run, loaded[0][0], "test")
    root = annotations_folder(run.data_root, run.dataset_name)
    part_maps = ExactParts(root, [record.image_id for record in dataset.records], size=run.crop_size)
    correct = correct_images([network for network, _ in loaded], dataset, device)
    pairs, rows = class_pairs(differing_parts(root)), []
    for pair, index in choose_contrasts(pairs, dataset, part_maps, correct, rows=args.rows, seed=args.seed):
        parts, _ = part_maps(index)
        names = [display_name(dataset.class_names[k]) for k in (pair.class_a, pair.class_b)]
        image = dataset[index][0].to(device)
        maps = {
            column: counterfactual_map(network, attribution, image, pair.class_a, pair.class_b)
            for column, (network, attribution) in columns(loaded).items()
        }
        picture: Image.Image = read_rgb(dataset.image_path(index))
        rows.append(Contrast(picture, pair.mask(parts), *names, [PARTS[part] for part in pair.parts], maps))
    save_figure(contrast_figure(rows), args.out, dpi=200)


FIGURES = {"figure3": figure3, "figure4": figure4}


def main(argv: Sequence[str] | None = None) -> int:
    """Draw one figure and say where it is."""
    args = parse(argv)
    FIGURES[args.figure](args)
    print(f"{args.figure}: {args.out}")
    return 0


if __name__ == "__main__":
    sys.exit(errors.run(main))
