"""Cue localisation against the plain way, and against the time that its forward passes alone need.

Real class pairs of CUB, from the annotations in the folder that CALM_TEST_DATA names; pictures by formula.

python benchmarks/cue_location.py [images per class for the ten pairs] [images per class for all pairs]
"""

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from itertools import combinations
from pathlib import Path

import cv2
import measure
import numpy as np
import torch
from sklearn.metrics import average_precision_score

from calm.attribution import build_attribution
from calm.attribution.score_map import normalize, resize
from calm.attribution.several_classes import maps_of_several
from calm.data_loaders.cues.pairs import ClassPair, chosen_pairs, class_pairs, differing_parts
from calm.data_loaders.cues.part_maps import CueImages, KeypointParts
from calm.data_loaders.datasets import build_dataset
from calm.data_loaders.loaders import build_loader
from calm.data_loaders.metadata import write_records
from calm.data_loaders.record import Record
from calm.evaluation.cue_location.collect import collect, needed_maps
from calm.evaluation.cue_location.measure import PairResult, measure_pairs
from calm.evaluation.cue_location.protocols import PaperProtocol
from calm.networks import build_network

FIVE_CLASSES = (63, 101, 141, 145, 146)
"""Every two of them differ in one to three parts: ten pairs, each image in four, eight passes where one will do."""
WIDTH, HEIGHT, BATCH = 500, 375, 8
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")


def to_scores(difference: torch.Tensor) -> torch.Tensor:
    """Raw differences -> score maps."""
    return normalize(resize(difference, 224).abs(), "minmax")


def write_pictures(annotations: Path, folder: Path, classes: Iterable[int], per_class: int) -> list[str]:
    """CUB's first test images of some classes, waves instead of birds, with an ellipse as segmentation."""
    (folder / "CUB").mkdir(parents=True)
    for path in annotations.iterdir():
        (folder / "CUB" / path.name).symlink_to(path)
    lines = [(annotations / name).read_text().split() for name in ("images.txt", "train_test_split.txt")]
    test = [name for name, is_train in zip(lines[0][1::2], lines[1][1::2]) if is_train == "0"]
    y, x = np.mgrid[0 : 1 : HEIGHT * 1j, 0 : 1 : WIDTH * 1j]
    bird = np.where((x - 0.5) ** 2 + (y - 0.5) ** 2 < 0.12, 255, 0).astype(np.uint8)
    names = []
    for label in sorted(classes):
        for name in [name for name in test if int(name[:3]) == label + 1][:per_class]:
            waves = [np.cos((label + c) * 7 * x + (len(names) % 60 + 3 * c) * y) for c in range(3)]
            for kind, suffix, pixels in (
                ("images", ".jpg", 128 + 100 * np.stack(waves, 2)),
                ("segmentations", ".png", bird),
            ):
                path = (folder / "CUB" / kind / name).with_suffix(suffix)
                path.parent.mkdir(parents=True, exist_ok=True)
                cv2.imwrite(str(path), pixels.astype(np.uint8))
            names.append(name)
    write_records(folder / "metadata", "CUB", "test", [Record(n, int(n[:3]) - 1, (WIDTH, HEIGHT)) for n in names])
    return names


class Bench:
    """Some pairs with their pictures and a network, and both ways to evaluate them."""

    def __init__(self, annotations: Path, folder: Path, pairs: Sequence[ClassPair], per_class: int) -> None:
        self.pairs, self.root, self.needed = pairs, folder / "CUB", needed_maps(pairs)
        self.names = write_pictures(annotations, folder, self.needed, per_class)
        self.data = build_dataset("CUB", "test", data_root=folder, metadata_root=folder / "metadata")
        torch.manual_seed(0)
        self.network = build_network("resnet50", "CALM_EM", 200, large_feature_map=True).eval().to(DEVICE)
        self.passes = 0
        self.network.register_forward_pre_hook(self._count)

    def _count(self, module: torch.nn.Module, inputs: tuple) -> None:
        self.passes += len(inputs[0])

    def ours(self) -> list[PairResult]:
        """One pass per image."""
        part_maps = KeypointParts(self.root, self.names, [(WIDTH, HEIGHT)] * len(self.names))
        images = CueImages(self.data, range(len(self.names)), part_maps)
        targets = [record.target for record in self.data.records]
        maps_of = maps_of_several("joint")
        (maps,) = collect(
            build_loader(images, BATCH),
            [lambda batch, positions, classes: maps_of(self.network, batch, classes)],
            [self.needed[target] for target in targets],
            device=DEVICE,
        )
        score_of = lambda first, second: to_scores(first - second)  # noqa: E731
        return measure_pairs(self.pairs, maps, targets, score_of, PaperProtocol, device=DEVICE)

    def forward_passes(self) -> None:
        """Decoding and a bare forward pass of every image, nothing else."""
        for images, _, _ in build_loader(self.data, BATCH):
            with torch.inference_mode():
                self.network(images.to(DEVICE))

    def plain(self) -> list[float]:
        """Pair by pair, image batch by image batch, a pass per class; part maps anew for each pair."""
        attribution = build_attribution("joint")
        areas = []
        for pair in self.pairs:
            chosen = [i for i, record in enumerate(self.data.records) if record.target in pair[:2]]
            names = [self.names[i] for i in chosen]
            part_maps = KeypointParts(self.root, names, [(WIDTH, HEIGHT)] * len(names))
            scores, masks = [], []
            for images, _, parts, visible in build_loader(CueImages(self.data, chosen, part_maps), BATCH):
                first, second = (
                    attribution(self.network, images.to(DEVICE), torch.full((len(images),), label, device=DEVICE))
                    for label in pair[:2]
                )
                shown = visible[:, list(pair.parts)].any(dim=1)
                scores.append(to_scores(first - second).cpu()[shown])
                masks.append(pair.mask(parts.numpy())[shown.numpy()])
            pixels = np.concatenate([score.flatten() for score in scores])
            areas.append(100 * average_precision_score(np.concatenate([mask.ravel() for mask in masks]), pixels))
        return areas


def against_plain(annotations: Path, per_class: int) -> dict:
    """Ten pairs both ways: equal figures, passes and time."""
    text = ",".join(f"{a}-{b}" for a, b in combinations(FIVE_CLASSES, 2))
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(annotations, Path(folder), chosen_pairs(text, differing_parts(annotations)), per_class)
        bench.forward_passes()
        found, passes, seconds = {}, {}, {}
        for name in ("plain", "ours"):
            bench.passes = 0
            seconds[name] = measure.seconds_of(lambda name=name: found.update({name: getattr(bench, name)()}))
            passes[name] = bench.passes
        difference = max(abs(a - b.pxap) for a, b in zip(found["plain"], found["ours"], strict=True))
    return {
        "ten_pairs_images": len(bench.names),
        "passes_plain": passes["plain"],
        "passes_ours": passes["ours"],
        "seconds_plain": round(seconds["plain"], 2),
        "seconds_ours": round(seconds["ours"], 2),
        "speedup": round(seconds["plain"] / seconds["ours"], 2),
        "largest_difference_in_PxAP": difference,
    }


def against_forward_passes(annotations: Path, per_class: int) -> dict:
    """All 191 pairs with some images of each class: the whole evaluation over decoding and forward passes alone."""
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(annotations, Path(folder), class_pairs(differing_parts(annotations)), per_class)
        order = ("forward_passes", "ours", "forward_passes")  # ours in the middle, as the machine's speed may drift
        before, ours, after = [_wall_and_cpu(getattr(bench, name)) for name in order]
        bare = [(first + second) / 2 for first, second in zip(before, after)]
    return {
        "all_pairs": len(bench.pairs),
        "all_pairs_images": len(bench.names),
        "seconds_all_pairs": round(ours[0], 2),
        "seconds_decoding_and_forward": round(bare[0], 2),
        "over_forward": round(ours[0] / bare[0], 3),
        "over_forward_in_cpu_time": round(ours[1] / bare[1], 3),
    }


def _wall_and_cpu(function: Callable[[], object]) -> tuple[float, float]:
    """Wall time, and the time of this process on all processors, which other programs disturb less."""
    start = time.process_time()
    return measure.seconds_of(function), time.process_time() - start


def main() -> None:
    """Both comparisons; skipped without the annotations."""
    test_data = os.environ.get("CALM_TEST_DATA")
    if not test_data or not (Path(test_data) / "cub_annotations").is_dir():
        measure.report("cue_location", skipped="CALM_TEST_DATA names no folder with cub_annotations/")
        return
    annotations = Path(test_data).resolve() / "cub_annotations"
    few, all_pairs = [int(word) for word in sys.argv[1:3]] or (6, 2)
    measure.report("cue_location", **against_plain(annotations, few), **against_forward_passes(annotations, all_pairs))


if __name__ == "__main__":
    main()
