"""Write SynthBirds to disk: pictures and annotations in CUB's layout, metadata in the project's text format.

Every picture depends on (seed, split, class, number) alone, so neither the order of drawing nor the number of
processes shows in the files.
"""

from collections.abc import Iterator
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from calm.data_loaders.synthbirds.classes import (
    PARTS,
    BirdClass,
    attribute_names,
    attributes_of,
    bird_classes,
    siblings,
)
from calm.data_loaders.synthbirds.render import KEYPOINTS, Rendering, render

SPLITS = ("train", "val", "test")
JPEG = [cv2.IMWRITE_JPEG_QUALITY, 95, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]


class Options(NamedTuple):
    """What decides the files of a generated data set."""

    num_classes: int = 12
    image_size: int = 112
    seed: int = 0
    train_per_class: int = 60
    val_per_class: int = 10
    test_per_class: int = 30
    interventions: bool = False


class Picture(NamedTuple):
    """One picture to draw: split, class index from 0, number within split and class, image id (path)."""

    split: str
    target: int
    number: int
    image_id: str


class Annotation(NamedTuple):
    """What the text files say of one picture, and of its interventions one index line each."""

    keypoints: np.ndarray
    visible: np.ndarray
    box: tuple[int, int, int, int]
    interventions: tuple[str, ...]


def folder_name(index: int, bird: BirdClass) -> str:
    """Name of a class as in CUB: number from 001, then the name."""
    return f"{index + 1:03d}.{bird.name}"


def pictures(options: Options, classes: list[BirdClass]) -> Iterator[Picture]:
    """All pictures, class by class, train before val before test."""
    counts = (options.train_per_class, options.val_per_class, options.test_per_class)
    for target, bird in enumerate(classes):
        for split, count in zip(SPLITS, counts):
            for number in range(count):
                file = f"{bird.name}_{split}_{number + 1:04d}.jpg"
                yield Picture(split, target, number, f"{folder_name(target, bird)}/{file}")


def _write_jpeg(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(".jpg", image[..., ::-1], JPEG)[1].tobytes())


def _write_png(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(".png", image)[1].tobytes())


def draw(picture: Picture, *, root: Path, options: Options, classes: list[BirdClass]) -> Annotation:
    """Draw one picture, write it with its masks (and, of a test picture, its interventions) under ``root``."""
    bird = classes[picture.target]
    pose_seed = (options.seed, SPLITS.index(picture.split), picture.target, picture.number)
    again = partial(render, pose_seed=pose_seed, size=options.image_size, shape=bird.shape)
    rendering: Rendering = again(bird.looks)
    folder = "val" if picture.split == "val" else "images"
    _write_jpeg(root / folder / picture.image_id, rendering.image)
    if picture.split != "val":
        mask_id = Path(picture.image_id).with_suffix(".png")
        _write_png(root / "segmentations" / mask_id, rendering.segmentation)
        _write_png(root / "part_masks" / mask_id, rendering.part_mask)
    lines = []
    if options.interventions and picture.split == "test":
        for name, kind, part, source, looks in interventions(picture.target, classes):
            file = f"{picture.image_id.removesuffix('.jpg')}__{name}.jpg"
            _write_jpeg(root / "interventions" / file, again(looks).image)
            lines.append(f"{picture.image_id} {file} {part} {kind} {source}")
    if rendering.box is None:
        raise RuntimeError(f"nothing of the bird shows in {picture.image_id}, though birds are placed in the picture")
    return Annotation(rendering.keypoints, rendering.visible, rendering.box, tuple(lines))


def interventions(target: int, classes: list[BirdClass]) -> Iterator[tuple[str, str, str, int, tuple]]:
    """Interventions on a class: (name, kind, part, id of the class whose look it is or 0, looks of the seven parts).

    First each part removed, then each look that a sibling has and this class has not, one part at a time.
    """
    looks = classes[target].looks
    for i, part in enumerate(PARTS):
        yield f"{part}_removed", "removed", part, 0, (*looks[:i], None, *looks[i + 1 :])
    for i, part in enumerate(PARTS):
        seen = {looks[i]}
        for other in siblings(target, len(classes)):
            look = classes[other].looks[i]
            if look not in seen:
                seen.add(look)
                name = f"{part}_of_{other + 1:03d}"
                yield name, "swapped", part, other + 1, (*looks[:i], look, *looks[i + 1 :])


def write_pictures(root: Path, options: Options, workers: int) -> list[tuple[Picture, Annotation]]:
    """Draw everything under ``root``, with ``workers`` processes beside this one (0: in this one)."""
    classes = bird_classes(options.num_classes)
    todo = list(pictures(options, classes))
    work = partial(draw, root=root, options=options, classes=classes)
    if workers == 0:
        return list(zip(todo, map(work, todo)))
    with get_context("spawn").Pool(workers) as pool:
        return list(zip(todo, pool.map(work, todo, chunksize=16)))


def write_annotations(root: Path, options: Options, drawn: list[tuple[Picture, Annotation]]) -> None:
    """Write CUB's annotation files for the train and test pictures under ``root``."""
    classes = bird_classes(options.num_classes)
    folders = [folder_name(i, bird) for i, bird in enumerate(classes)]
    rows = list(enumerate(((p, a) for p, a in drawn if p.split != "val"), start=1))
    names, scores = attribute_names(), []
    for bird in classes:
        has = attributes_of(bird)
        scores.append(" ".join("100.0" if name in has else "0.0" for name in names))
    files = {
        "images.txt": [f"{i} {p.image_id}" for i, (p, _) in rows],
        "image_class_labels.txt": [f"{i} {p.target + 1}" for i, (p, _) in rows],
        "train_test_split.txt": [f"{i} {int(p.split == 'train')}" for i, (p, _) in rows],
        "bounding_boxes.txt": [
            f"{i} {x0:.1f} {y0:.1f} {x1 - x0:.1f} {y1 - y0:.1f}" for i, (_, a) in rows for x0, y0, x1, y1 in [a.box]
        ],
        "classes.txt": [f"{i} {folder}" for i, folder in enumerate(folders, start=1)],
        "parts/parts.txt": [f"{i} {name}" for i, name in enumerate(KEYPOINTS, start=1)],
        "parts/part_locs.txt": [
            f"{i} {k} {x:.1f} {y:.1f} {int(shown)}"
            for i, (_, a) in rows
            for k, ((x, y), shown) in enumerate(zip(a.keypoints, a.visible), start=1)
        ],
        "attributes/attributes.txt": [f"{i} {name}" for i, name in enumerate(names, start=1)],
        "attributes/class_attribute_labels_continuous.txt": scores,
    }
    if options.interventions:
        files["interventions.txt"] = [line for _, a in drawn for line in a.interventions]
    _write_lines(root, files)


def write_metadata(root: Path, options: Options, drawn: list[tuple[Picture, Annotation]]) -> None:
    """Write image_ids, class_labels, image_sizes and localization of each split under ``root/<split>``."""
    size = options.image_size
    for split in SPLITS:
        rows = [(p.image_id, p.target, a.box) for p, a in drawn if p.split == split]
        _write_lines(
            root / split,
            {
                "image_ids.txt": [image_id for image_id, _, _ in rows],
                "class_labels.txt": [f"{image_id},{target}" for image_id, target, _ in rows],
                "image_sizes.txt": [f"{image_id},{size},{size}" for image_id, _, _ in rows],
                "localization.txt": [f"{image_id},{x0},{y0},{x1},{y1}" for image_id, _, (x0, y0, x1, y1) in rows],
            },
        )


def _write_lines(root: Path, files: dict[str, list[str]]) -> None:
    for name, lines in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
