"""Small data sets on disk for the tests."""

from pathlib import Path

import numpy as np
from PIL import Image

from calm.data_loaders.metadata import write_records
from calm.data_loaders.record import Record


def picture(seed: int, width: int, height: int) -> Image.Image:
    """Smooth random RGB picture."""
    small = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)


def save(image: Image.Image, path: Path, **options) -> Path:
    """Save ``image``, making its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **options)
    return path


def write(path: Path, text: str) -> Path:
    """Write ``text``, making the folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def tiny_cub(folder: Path, split: str = "train", count: int = 9) -> list[Record]:
    """``count`` pictures of three classes as CUB, with metadata: folder/dataset and folder/metadata."""
    records = []
    for number in range(count):
        image_id = f"{number % 3 + 1:03d}.Bird/picture_{number}.jpg"
        size = (40 + 3 * number, 60 - 2 * number)
        save(picture(number, *size), folder / "dataset/CUB/images" / image_id, quality=95)
        records.append(Record(image_id, number % 3, size=size, boxes=((1, 2, 20, 30),)))
    write_records(folder / "metadata", "CUB", split, records)
    return records
