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

from calm import config, distributed, errors, runs
from calm.data_loaders.catalogue import dataset_named
from calm.data_loaders.classes import display_name
from calm.data_loaders.cues.annotations import annotations_folder
from calm.data_loaders.cues.pairs import class_pairs, differing_parts
from calm.data_loaders.cues.part_maps import ExactParts
from calm.data_loaders.datasets import ImageDataset
from calm.data_loaders.images import read_rgb
from calm.errors import UserError
from calm.explanation.examples import choose_counterfactuals, class_probabilities, correct_images, most_doubtful
from calm.explanation.explainer import Explainer, method_in_words
from calm.explanation.figure3 import maps_figure
from calm.explanation.figure4 import Row, columns, counterfactual_map, counterfactuals_figure
from calm.explanation.questions import Ask
from calm.flags import Config, flags_of, natural, positive_int
from calm.networks.network import Network
from calm.pictures import save_figure

DATA_FLAGS = ("data_root", "metadata_root", "crop_size")
FIGURE4 = {"seed": 0, "rows": 2}
"""Flags of figure4 alone, and their defaults."""
DPI = 200


def parse(argv: Sequence[str] | None) -> Munch:
    """Command line -> flags."""
    parser = errors.Parser(
        prog="make_figures.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("figure", choices=tuple(FIGURES), help="which figure of the paper")
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


def load(args: Munch, checkpoint: str) -> tuple[Network, Munch]:
    """One run's network and flags."""
    flags = {name: flag.default for name, flag in flags_of("main").items()}
    asked = Config(flags | args | {"load_checkpoint": checkpoint})
    network, path, stated = runs.restore(asked, distributed.init().device)
    run = Munch(stated)
    data_set = dataset_named(run.dataset_name)
    if data_set.families is None or not data_set.exact_parts:
        raise UserError(f"{path}: was trained on {run.dataset_name}; the figures need SynthBirds, whose cues are known")
    run.method = method_in_words(run.attribution_method, run.prior_activation)
    run.folder = path.parent.name
    return network, run


def part_maps_of(run: Munch, dataset: ImageDataset) -> tuple[Path, ExactParts]:
    """The data set's folder and its true part maps, at the network's input size."""
    root = annotations_folder(run.data_root, run.dataset_name)
    return root, ExactParts(root, [record.image_id for record in dataset.records], size=run.crop_size)


def figure3(args: Munch) -> list[str]:
    """Attribution, conditional, saliency, subset (the class's family) and counterfactual of one image."""
    network, run = load(args, args.load_checkpoint[0])
    dataset = runs.evaluation_dataset(run, network, "test")
    root, part_maps = part_maps_of(run, dataset)
    families = dataset_named(run.dataset_name).families(network.num_classes)
    probabilities = class_probabilities(network, dataset)
    pair, index = most_doubtful(probabilities, dataset, families, differing_parts(root), part_maps)
    model = f"{run.method} · {run.architecture} · {run.dataset_name}"
    explainer = Explainer(network, run.crop_size, dataset.class_names, families, model)
    explanation = explainer(dataset.image_path(index), Ask(target=pair.class_a, versus=pair.class_b))
    save_figure(maps_figure(explanation, pair.mask(part_maps(index)[0]), pair.part_names), args.out, dpi=DPI)
    return [dataset.records[index].image_id]


def named(loaded: Sequence[tuple[Network, Munch]]) -> dict[str, Network]:
    """Method and prior -> network; a run that shares them with another is named by its folder too."""
    methods = [run.method for _, run in loaded]
    return {
        run.method if methods.count(run.method) == 1 else f"{run.method} {run.folder}": network
        for network, run in loaded
    }


def figure4(args: Munch) -> list[str]:
    """Counterfactual maps of all methods beside the true cue."""
    loaded = [load(args, checkpoint) for checkpoint in args.load_checkpoint]
    networks, run = named(loaded), loaded[0][1]
    dataset = runs.evaluation_dataset(run, loaded[0][0], "test")
    root, part_maps = part_maps_of(run, dataset)
    probabilities = [class_probabilities(network, dataset) for network in networks.values()]
    correct = correct_images(probabilities, [record.target for record in dataset.records])
    pairs, device = class_pairs(differing_parts(root)), next(loaded[0][0].parameters()).device
    chosen = choose_counterfactuals(pairs, dataset, part_maps, correct, rows=args.rows, seed=args.seed)
    shown, rows = columns(networks), []
    for pair, index in chosen:
        names = [display_name(dataset.class_names[k]) for k in (pair.class_a, pair.class_b)]
        image, cue = dataset[index][0].to(device), pair.mask(part_maps(index)[0])
        maps = {title: counterfactual_map(column, image, *pair[:2]) for title, column in shown.items()}
        rows.append(Row(read_rgb(dataset.image_path(index)), cue, *names, pair.part_names, maps))
    save_figure(counterfactuals_figure(rows, next(iter(networks))), args.out, dpi=DPI)
    return [dataset.records[index].image_id for _, index in chosen]


FIGURES = {"figure3": figure3, "figure4": figure4}


def main(argv: Sequence[str] | None = None) -> int:
    """Draw one figure; say where it is and which images it shows."""
    args = parse(argv)
    images = FIGURES[args.figure](args)
    print(f"{args.out}: shows {', '.join(images)}")
    return 0


if __name__ == "__main__":
    sys.exit(errors.run(main))
