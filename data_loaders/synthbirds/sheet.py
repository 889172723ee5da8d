"""Pictures of SynthBirds for the documentation.

    python -m data_loaders.synthbirds.sheet --out docs/images

writes synthbirds.sheet.png (a bird of each of the first 24 classes, families side by side) and
synthbirds_interventions.png (birds, their part masks, and the same birds with one part removed or swapped).
"""

import sys
from pathlib import Path

import cv2
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from calm import errors
from calm.data_loaders.synthbirds.classes import PARTS, bird_classes
from calm.data_loaders.synthbirds.files import interventions
from calm.data_loaders.synthbirds.render import render

PART_COLORS = np.array(
    [
        (255, 255, 255),
        (214, 69, 65),
        (65, 131, 196),
        (94, 178, 108),
        (240, 178, 50),
        (150, 90, 180),
        (235, 125, 60),
        (60, 180, 190),
    ],
    np.uint8,
)
"""RGB of background and parts in the figure of interventions."""


def sheet(columns: int, rows: int, size: int, seed: int, gap: int = 4) -> np.ndarray:
    """One bird of each of the first columns * rows classes, uint8 RGB with white gaps."""
    side = size + gap
    page = np.full((rows * side - gap, columns * side - gap, 3), 255, np.uint8)
    for number, bird in enumerate(bird_classes(columns * rows)):
        y, x = number // columns * side, number % columns * side
        page[y : y + size, x : x + size] = render(bird.looks, (seed, number), size=size, shape=bird.shape).image
    return page


def intervention_panels(target: int, pose_seed: tuple[int, int], size: int) -> list[tuple[str, np.ndarray]]:
    """Caption and picture of a bird, its part mask and its interventions."""
    classes = bird_classes(12)
    bird = classes[target]
    drawn = render(bird.looks, pose_seed, size=size, shape=bird.shape)
    panels = [("the bird", drawn.image), ("part mask", PART_COLORS[drawn.part_mask])]
    for _, kind, part, source, looks in interventions(target, classes):
        look = looks[PARTS.index(part)]
        caption = f"no {part}" if kind == "removed" else f"{look.color} {part}\n(class {source})"
        panels.append((caption, render(looks, pose_seed, size=size, shape=bird.shape).image))
    return panels


def intervention_figure(birds: list[tuple[int, tuple[int, int]]], size: int) -> Figure:
    """A row of panels for every (class index, pose seed)."""
    rows = [intervention_panels(target, pose_seed, size) for target, pose_seed in birds]
    columns = max(map(len, rows))
    figure = Figure(figsize=(1.14 * columns, 1.5 * len(rows)), dpi=110, layout="constrained")
    axes = figure.subplots(len(rows), columns, squeeze=False)
    for axis in axes.flat:
        axis.axis("off")
    for line, row in zip(axes, rows):
        for axis, (caption, image) in zip(line, row):
            axis.imshow(image)
            axis.set_title(caption, fontsize=8)
    return figure


def main() -> None:
    parser = errors.Parser(prog="python -m data_loaders.synthbirds.sheet", description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("docs/images"), help="folder of the pictures")
    parser.add_argument("--seed", type=int, default=1, help="seed of the sheet")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(args.out / "synthbirds.sheet.png"), sheet(8, 3, 144, args.seed)[..., ::-1])
    figure = intervention_figure([(0, (7, 12)), (4, (7, 2)), (9, (7, 6))], 112)
    FigureCanvasAgg(figure).print_png(args.out / "synthbirds_interventions.png")


if __name__ == "__main__":
    sys.exit(errors.run(main))
