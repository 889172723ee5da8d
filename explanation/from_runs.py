"""Figures 3 and 4 of the paper, drawn from run folders."""

from collections.abc import Sequence
from typing import NamedTuple

from munch import Munch

from calm import distributed, runs
from calm.data_loaders.catalogue import dataset_named
from calm.data_loaders.classes import display_name
from calm.data_loaders.cues.pairs import class_pairs, differing_parts
from calm.data_loaders.images import read_rgb
from calm.errors import UserError
from calm.explanation.cues import part_maps_of
from calm.explanation.examples import choose_counterfactuals, class_probabilities, correct_images, most_doubtful
from calm.explanation.explainer import Explainer, method_in_words
from calm.explanation.figure3 import maps_figure
from calm.explanation.figure4 import Row, columns, counterfactual_map, counterfactuals_figure
from calm.explanation.questions import Ask
from calm.flags import Config, flags_of
from calm.networks.network import Network
from calm.pictures import save_figure

DPI = 200


class Run(NamedTuple):
    """A run that figures show."""

    network: Network
    flags: Config
    families: dict[int, list[int]]
    """Class -> itself and those that differ from it in few parts."""
    method: str
    """Method and prior in words."""
    folder: str


def load(args: Munch, checkpoint: str) -> Run:
    """One run, which must be of a data set whose cues are known."""
    flags = {name: flag.default for name, flag in flags_of("main").items()}
    asked = Config(flags | args | {"load_checkpoint": checkpoint})
    network, stated, path, *_ = runs.restore(asked, distributed.init().device)
    data_set = dataset_named(stated.dataset_name)
    if data_set.families is None or not data_set.exact_parts:
        raise UserError(f"{path}: was trained on {data_set.name}; the figures need SynthBirds, whose cues are known")
    method = method_in_words(network, stated.prior_activation)
    return Run(network, stated, data_set.families(network.num_classes), method, path.parent.name)


def figure3(args: Munch) -> list[str]:
    """Attribution, conditional, saliency, subset (the class's family) and counterfactual of one image."""
    run = load(args, args.load_checkpoint[0])
    flags, network = run.flags, run.network
    dataset = runs.evaluation_dataset(flags, network, "test")
    root, part_maps = part_maps_of(flags, dataset)
    probabilities = class_probabilities(network, dataset)
    pair, index = most_doubtful(probabilities, dataset, run.families, differing_parts(root), part_maps)
    model = f"{run.method} · {flags.architecture} · {flags.dataset_name}"
    explainer = Explainer(network, flags.crop_size, dataset.class_names, run.families, model)
    explanation = explainer(dataset.image_path(index), Ask(target=pair.class_a, versus=pair.class_b))
    save_figure(maps_figure(explanation, pair.mask(part_maps(index)[0]), pair.part_names), args.out, dpi=DPI)
    return [dataset.records[index].image_id]


def named(shown: Sequence[Run]) -> dict[str, Network]:
    """Method and prior -> network; a run that shares them with another is named by its folder too."""
    methods = [run.method for run in shown]
    return {
        run.method if methods.count(run.method) == 1 else f"{run.method} {run.folder}": run.network for run in shown
    }


def figure4(args: Munch) -> list[str]:
    """Counterfactual maps of all methods beside the true cue."""
    shown = [load(args, checkpoint) for checkpoint in args.load_checkpoint]
    networks, first = named(shown), shown[0]
    dataset = runs.evaluation_dataset(first.flags, first.network, "test")
    root, part_maps = part_maps_of(first.flags, dataset)
    probabilities = [class_probabilities(network, dataset) for network in networks.values()]
    correct = correct_images(probabilities, [record.target for record in dataset.records])
    pairs, device = class_pairs(differing_parts(root)), next(first.network.parameters()).device
    chosen = choose_counterfactuals(pairs, dataset, part_maps, correct, rows=args.rows, seed=args.seed)
    maps_of, rows = columns(networks), []
    for pair, index in chosen:
        names = [display_name(dataset.class_names[k]) for k in (pair.class_a, pair.class_b)]
        image, cue = dataset[index][0].to(device), pair.mask(part_maps(index)[0])
        maps = {title: counterfactual_map(column, image, *pair[:2]) for title, column in maps_of.items()}
        rows.append(Row(read_rgb(dataset.image_path(index)), cue, *names, pair.part_names, maps))
    save_figure(counterfactuals_figure(rows, next(iter(networks))), args.out, dpi=DPI)
    return [dataset.records[index].image_id for _, index in chosen]


FIGURES = {"figure3": figure3, "figure4": figure4}
"""Name -> (flags of make_figures.py) -> the images that the written figure shows."""
