"""Figures 1, 3, 4 and 6 of the paper, drawn from run folders, of a test split or of given images."""

from collections.abc import Sequence

from munch import Munch

from calm.data_loaders.cues.part_maps import PartMaps
from calm.data_loaders.images import read_rgb
from calm.explanation.examined import ExaminedSplit
from calm.explanation.examples import choose_counterfactuals, one_per_class, representative, shows
from calm.explanation.figure1 import Compared, comparison_figure
from calm.explanation.figure3 import Pictured, maps_figure
from calm.explanation.figure4 import Contrast, all_attributed, counterfactual_map, counterfactuals_figure
from calm.explanation.figure6 import levels_figure
from calm.explanation.levels import levels_of
from calm.explanation.shown import Run, Shown, load_all, users_images
from calm.pictures.figures import save_figure

DPI = 200


def typical(runs: Sequence[Run], split: ExaminedSplit, *, found: bool) -> Shown:
    """A representative image: right and sure, its cue visible, and, with ``found``, its map's peak inside the cue.

    It is compared with the class that its networks find most probable of those whose difference is known.
    """
    compared = {index: split.rivals(index) for index in split.right}

    def picture(index: int) -> Shown | None:
        pairs = ((versus, pair) for versus, pair in compared[index])
        maps = split.part_maps
        seen = ((v, pair) for v, pair in pairs if pair is None or maps is None or shows(pair, maps, index))
        return next((split.shown(index, versus, pair) for versus, pair in seen), None)

    def is_found(shown: Shown) -> bool:
        return all(finds_cue(run, shown) for run in runs)

    surest = {index: min(float(p[index, split.targets[index]]) for p in split.probabilities) for index in compared}
    return representative(surest, picture, is_found if found else None)


def finds_cue(run: Run, shown: Shown) -> bool:
    """Whether the cell of the largest difference between the two classes' maps is centred inside the cue."""
    if shown.cue is None:
        return True
    explanation = shown.explained(run)
    x0, y0, x1, y1 = explanation.cells.box(*explanation.peak("counterfactual"))
    row, column = (
        min(int((low + high) / 2 * len(shown.cue)), len(shown.cue) - 1) for low, high in ((y0, y1), (x0, x1))
    )
    return bool(shown.cue[row, column])


def chosen(args: Munch, runs: Sequence[Run], *, found: bool) -> list[Shown]:
    """The user's images, or a representative one of the test split."""
    if args.image:
        return users_images(args, runs[0])
    return [typical(runs, ExaminedSplit(runs, args.seed), found=found)]


def figure1(args: Munch) -> list[str]:
    """Maps of class A, of class B and their difference, by every run, beside the true cue."""
    runs = load_all(args)
    shown = chosen(args, runs, found=False)
    pictures = [Compared([picture.explained(run) for run in runs], picture.cue, picture.parts) for picture in shown]
    save_figure(comparison_figure(pictures, names_of(runs)), args.out, dpi=DPI)
    return [picture.image_id for picture in shown]


def figure3(args: Munch) -> list[str]:
    """Attribution, conditional, saliency, subset and counterfactual of images."""
    (run,) = load_all(args)
    shown = chosen(args, [run], found=True)
    lines = [
        Pictured(picture.explained(run, subset=subset_of(run, picture)), picture.cue, picture.parts)
        for picture in shown
    ]
    save_figure(maps_figure(lines), args.out, dpi=DPI)
    return [picture.image_id for picture in shown]


def subset_of(run: Run, picture: Shown) -> tuple[int, ...]:
    """The first set of classes above the image's own: its family, or its superset."""
    levels = levels_of(run.data_set, run.flags.data_root, picture.target, run.explainer.class_names)
    return tuple(levels[min(1, len(levels) - 1)].classes)


def names_of(runs: Sequence[Run]) -> list[str]:
    """Method and prior of each run; one that shares them with another is named by its folder too."""
    methods = [run.method for run in runs]
    return [run.method if methods.count(run.method) == 1 else f"{run.method} {run.folder}" for run in runs]


def figure4(args: Munch) -> list[str]:
    """Counterfactual maps of all methods, beside the true cue where it is known."""
    runs = load_all(args)
    if args.image:
        shown = users_images(args, runs[0])
    else:
        split = ExaminedSplit(runs, args.seed)
        shown = of_pairs(split, split.part_maps, args) if split.part_maps else of_classes(split, args)
    named, contrasts = dict(zip(names_of(runs), runs)), []
    for picture in shown:
        classes = (picture.target, picture.versus)
        maps = {
            title: counterfactual_map(explained, picture.image(explained.run), *classes)
            for title, explained in all_attributed(named).items()
        }
        names = [runs[0].names[k] for k in classes]
        drawn = read_rgb(picture.path, upright=picture.upright)
        contrasts.append(Contrast(drawn, picture.cue, *names, picture.parts, maps))
    save_figure(counterfactuals_figure(contrasts, next(iter(named))), args.out, dpi=DPI)
    return [picture.image_id for picture in shown]


def of_pairs(split: ExaminedSplit, part_maps: PartMaps, args: Munch) -> list[Shown]:
    """``rows`` images for each of 1, 2 and 3 differing parts, drawn at random."""
    found = choose_counterfactuals(split.pairs, split.dataset, part_maps, split.right, rows=args.rows, seed=args.seed)
    return [split.shown(index, pair.class_b, pair) for pair, index in found]


def of_classes(split: ExaminedSplit, args: Munch) -> list[Shown]:
    """``rows`` images, drawn at random, each compared with the most probable other class."""
    found = one_per_class(split.right, split.targets, rows=args.rows, seed=args.seed)
    return [split.shown(index, split.rivals(index)[0][0]) for index in found]


def figure6(args: Munch) -> list[str]:
    """Maps added up over the class alone, over the sets above it, and over all classes."""
    (run,) = load_all(args)
    shown = chosen(args, [run], found=False)
    rows = []
    for picture in shown:
        levels = levels_of(run.data_set, run.flags.data_root, picture.target, run.names)
        rows.append([(level, picture.explained(run, subset=level.classes)) for level in levels])
    save_figure(levels_figure(rows), args.out, dpi=DPI)
    return [picture.image_id for picture in shown]


FIGURES = {"figure1": figure1, "figure3": figure3, "figure4": figure4, "figure6": figure6}
"""Name -> (flags of make_figures.py) -> the images that the written figure shows."""
