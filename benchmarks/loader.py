"""Training batches per second and worker, against PIL's bare decoding and resizing of the same JPEG files."""

import argparse
import tempfile
from pathlib import Path

import measure
import numpy as np
import torch
from PIL import Image

from calm.data_loaders.datasets import ImageDataset, build_loader
from calm.data_loaders.record import Record

FILES = 64


def draw_files(folder: Path, width: int, height: int) -> None:
    """JPEG files about as large as CUB's (some 100 kB at 500 x 375): blobs at several scales and some noise."""
    for number in range(FILES):
        generator = np.random.default_rng(number)
        pixels = generator.normal(128, 6, (height, width, 3))
        for side in (4, 16, 64):
            coarse = generator.normal(0, 30, (side, side, 3)).astype(np.float32)
            planes = [Image.fromarray(plane).resize((width, height)) for plane in np.moveaxis(coarse, 2, 0)]
            pixels += np.stack([np.asarray(plane) for plane in planes], axis=2)
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / f"{number}.jpg", quality=90)


def main() -> None:
    """Passes over the same files in turns: bare PIL, then loaders with each number of workers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=512, help="images of a pass")
    parser.add_argument("--size", type=int, nargs=2, default=(500, 375), metavar=("WIDTH", "HEIGHT"))
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        draw_files(folder, *args.size)
        records = [Record(f"{number % FILES}.jpg", 0) for number in range(args.images)]
        dataset = ImageDataset(records, roots=[folder], image_list=folder / "list", class_names=["0"], augment=True)

        def bare() -> None:
            for index in range(len(dataset)):
                with Image.open(dataset.image_path(index)) as image:
                    image.convert("RGB").resize((256, 256), Image.Resampling.BILINEAR)

        def load(workers: int) -> None:
            for _ in build_loader(dataset, 64, workers=workers, shuffle=True):
                pass

        passes = {"bare": bare} | {str(n): lambda n=n: load(n) for n in args.workers}
        times = measure.compare(passes, repeats=args.repeats)
        kilobytes = sum(path.stat().st_size for path in folder.iterdir()) / FILES / 1000
    bare_rate = args.images / times["bare"]
    rates = {n: args.images / times[str(n)] / max(n, 1) for n in args.workers}
    measure.report(
        "loader",
        images=args.images,
        size=args.size,
        kilobytes_per_file=round(kilobytes),
        bare_images_per_second=round(bare_rate, 1),
        images_per_second_per_worker={str(n): round(rate, 1) for n, rate in rates.items()},
        relative_to_bare={str(n): round(rate / bare_rate, 3) for n, rate in rates.items()},
    )


if __name__ == "__main__":
    main()
