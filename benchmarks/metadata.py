"""ImageNet's four text files, read as columns and by a plain reader: time, and the memory that is kept.

Prints one JSON object. The plain reader makes a dict a file, as the benchmark's own readers do, and no check.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import measure
import numpy as np

from calm.data_loaders.metadata import read_records

NAMES = ("image_ids.txt", "class_labels.txt", "image_sizes.txt", "localization.txt")


def write_files(folder: Path, images: int) -> None:
    """Lines like those of ImageNet's training split, with one box an image."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 1000, images)
    sizes = rng.integers(100, 500, (images, 2))
    names = [f"train/n{label:08d}/n{label:08d}_{number}.JPEG" for number, label in enumerate(labels.tolist())]
    folder.mkdir(parents=True)
    (folder / NAMES[0]).write_text("\n".join(names) + "\n")
    (folder / NAMES[1]).write_text("".join(f"{name},{label}\n" for name, label in zip(names, labels.tolist())))
    (folder / NAMES[2]).write_text("".join(f"{name},{w},{h}\n" for name, (w, h) in zip(names, sizes.tolist())))
    (folder / NAMES[3]).write_text("".join(f"{n},1,2,{w - 1},{h - 1}\n" for n, (w, h) in zip(names, sizes.tolist())))


def plain(folder: Path) -> Any:
    """A list of names, and a dict of each other file."""
    names = [line.strip("\n") for line in (folder / NAMES[0]).open()]
    labels, sizes, boxes = {}, {}, {}
    for line in (folder / NAMES[1]).open():
        name, label = line.strip("\n").split(",")
        labels[name] = int(label)
    for line in (folder / NAMES[2]).open():
        name, width, height = line.strip("\n").split(",")
        sizes[name] = int(width), int(height)
    for line in (folder / NAMES[3]).open():
        name, *corners = line.strip("\n").split(",")
        boxes.setdefault(name, []).append(tuple(map(int, corners)))
    return names, labels, sizes, boxes


def ours(folder: Path) -> Any:
    """The records of the split."""
    return read_records(folder.parents[1], folder.parent.name, folder.name, num_classes=1000)


READERS = {"ours": ours, "plain": plain}


def main() -> None:
    """Each reader in a fresh process, the fastest of three."""
    if len(sys.argv) == 3 and sys.argv[1] in READERS:
        start = time.perf_counter()
        kept: list[Any] = []
        peak = measure.peak_bytes(lambda: kept.append(READERS[sys.argv[1]](Path(sys.argv[2]))))
        print(json.dumps([time.perf_counter() - start, peak / 2**20]))
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=1_281_167)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "ILSVRC" / "train"
        write_files(folder, args.images)
        runs = {key: [measure.in_fresh_process(__file__, key, str(folder)) for _ in range(3)] for key in READERS}
        records, (names, labels, sizes, boxes) = ours(folder), plain(folder)
        some = range(0, args.images, max(1, args.images // 1000))
        equal = all(
            (r.image_id, r.target, r.size, [*r.boxes]) == (names[i], labels[names[i]], sizes[names[i]], boxes[names[i]])
            for i, r in ((i, records[i]) for i in some)
        )
    seconds, mib = ({key: min(run[part] for run in found) for key, found in runs.items()} for part in (0, 1))
    measure.report(
        "metadata",
        images=args.images,
        ratio=round(seconds["ours"] / seconds["plain"], 3),
        seconds={key: round(value, 2) for key, value in seconds.items()},
        peak_mib={key: round(value) for key, value in mib.items()},
        equal=equal,
    )


if __name__ == "__main__":
    main()
