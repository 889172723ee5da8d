"""Faults that befall files: checkpoints, a run's text files, lists of images, photographs."""

import io
import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from calm.data_loaders import metadata
from calm.data_loaders.datasets import build_dataset
from calm.data_loaders.images import read_rgb
from calm.errors import UserError
from calm.networks import load_network
from calm.runs import LAST
from fault_kinds.birds import LOST, SURVIVED, WRONG, Birds, same_tensors

LETTERS = ",\n 0-_x\té:'\"\0"


def refused(read: Callable[[], Any]) -> tuple[Any, str]:
    """What was read, or the sentence that refuses it."""
    try:
        return read(), ""
    except UserError as error:
        return None, str(error)


def _with_another_letter(text: str, rng: random.Random) -> str:
    """One character of a text becomes another, or goes, or the rest is cut off."""
    place = rng.randrange(len(text))
    return rng.choice((text[:place], text[:place] + rng.choice(["", *LETTERS]) + text[place + 1 :]))


def _opens_as_before(birds: Birds, content: bytes) -> str:
    path = birds.folder / "copy.pth.tar"
    path.write_bytes(content)
    found, _ = refused(lambda: load_network(path)[0].state_dict())
    return SURVIVED if found is None or same_tensors(birds.weights[1], found) else WRONG


def flip(birds: Birds, rng: random.Random) -> str:
    """A bit of a checkpoint changes: it is refused, or the same network."""
    content = bytearray((birds.run_folder("whole") / LAST).read_bytes())
    content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    return _opens_as_before(birds, bytes(content))


def truncation(birds: Birds, rng: random.Random) -> str:
    """A checkpoint ends early: it is refused."""
    content = (birds.run_folder("whole") / LAST).read_bytes()
    return _opens_as_before(birds, content[: rng.randrange(len(content))])


def run_file(birds: Birds, rng: random.Random) -> str:
    """A text file of a run, or its last checkpoint, is damaged before ``--resume``: refused, or all is equal."""
    shutil.copytree(birds.run_folder("part"), birds.run_folder("damaged"))
    path = birds.run_folder("damaged") / rng.choice(("config.yaml", "metrics.jsonl", "log.txt", LAST))
    if path.name == LAST:
        content = bytearray(path.read_bytes())
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        path.write_bytes(content)
    else:
        path.write_text(_with_another_letter(path.read_text(), rng))
    code = birds.finish(birds.start("damaged", "--resume"))
    if code == 0:
        metrics = birds.run_folder("damaged") / "metrics.jsonl"
        try:
            [json.loads(line) for line in metrics.read_text().splitlines()]
        except ValueError:
            return WRONG
        return birds.compared("damaged")
    said = birds.log("damaged")
    birds.remove("damaged")
    return SURVIVED if code == 2 and "Traceback" not in said else LOST


def image_list(birds: Birds, rng: random.Random) -> str:
    """A list of images is damaged: both readings say the same, and what is read is in range and is read back."""
    root, again = birds.folder / "changed", birds.folder / "written"
    for folder in (root, again):
        shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(birds.folder / "metadata", root)
    path = rng.choice(sorted((root / "SynthBirds" / "test").glob("*.txt")))
    path.write_text(_with_another_letter(path.read_text(), rng))

    def outcome(folder: Path = root) -> tuple[Any, str]:
        return refused(lambda: list(metadata.read_records(folder, "SynthBirds", "test", num_classes=2)))

    by_columns, by_lines = outcome(), _by_lines(outcome)
    if by_columns != by_lines:
        return WRONG
    records, sentence = by_columns
    if records is None:
        return SURVIVED if "\n" not in sentence else LOST
    if not all(0 <= record.target < 2 and _inside(record) for record in records):
        return WRONG
    _, unwritten = refused(lambda: metadata.write_records(again, "SynthBirds", "test", records))
    return SURVIVED if not unwritten and outcome(again)[0] == records else WRONG


def _by_lines(read: Callable[[], Any]) -> Any:
    """Read without the reading by columns."""
    whole = metadata._read_columns
    metadata._read_columns = lambda *_: None
    try:
        return read()
    finally:
        metadata._read_columns = whole


def _inside(record: metadata.Record) -> bool:
    width, height = record.size or (np.inf, np.inf)
    return all(0 <= x0 <= x1 < width and 0 <= y0 <= y1 < height for x0, y0, x1, y1 in record.boxes)


def photograph(birds: Birds, rng: random.Random) -> str:
    """A photograph is cut off or its bytes change: it is refused by name, or has its size; a part is refused."""
    root = birds.folder / "photographs"
    shutil.rmtree(root, ignore_errors=True)
    shutil.copytree(birds.folder / "dataset", root)
    dataset = build_dataset("SynthBirds", "test", data_root=root, metadata_root=birds.folder / "metadata", crop_size=48)
    index = rng.randrange(len(dataset))
    path, image = dataset.image_path(index), read_rgb(dataset.image_path(index))
    buffer = io.BytesIO()
    image.save(buffer, rng.choice(("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")))
    path.write_bytes(buffer.getvalue())
    whole = np.asarray(read_rgb(path))
    content = bytearray(buffer.getvalue())
    is_cut = rng.random() < 0.5
    if is_cut:
        content = content[: rng.randrange(len(content))]
    else:
        for _ in range(rng.randint(1, 5)):
            content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    path.write_bytes(content)
    item, sentence = refused(lambda: dataset[index])
    if item is None:
        return SURVIVED if path.name in sentence and "\n" not in sentence else LOST
    if item[0].shape != (3, 48, 48) or not item[0].isfinite().all() or item[2] != index:
        return WRONG
    with Image.open(path) as opened:
        plain = np.asarray(opened.convert("RGB"))
    same_as_read = np.array_equal(plain, np.asarray(read_rgb(path)))
    return SURVIVED if same_as_read and (not is_cut or np.array_equal(plain, whole)) else WRONG
