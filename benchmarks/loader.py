"""Training batches per second and process, against torchvision's ImageFolder with the same transforms.

Prints one JSON object: images a second of both (of processor time, or of wall time with a worker process), their ratio,
and by how many grey levels the images of the fast decoder differ from those of PIL.
"""

import argparse
import tempfile
import time
from pathlib import Path

import measure
import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader
from torchvision import transforms
from torchvision.datasets import ImageFolder

from calm.data_loaders.datasets import ImageDataset, build_loader
from calm.data_loaders.decoders import fast_square, pil_square
from calm.data_loaders.record import Record
from calm.data_loaders.transforms import IMAGENET_MEAN, IMAGENET_STD

FILES, BATCH = 64, 64


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


def image_folder(root: Path, images: int) -> torch.utils.data.Dataset:
    """What most training scripts have: the folder ``root`` of classes, ``images`` items."""
    steps = [transforms.Resize((256, 256)), transforms.RandomCrop(224), transforms.RandomHorizontalFlip()]
    steps += [transforms.ToTensor(), transforms.Normalize(IMAGENET_MEAN, IMAGENET_STD)]
    found = ImageFolder(root, transforms.Compose(steps))
    found.samples = [found.samples[number % FILES] for number in range(images)]
    return found


def difference(folder: Path) -> dict[str, float]:
    """Grey levels between both decoders' squares of 256 pixels: the largest, the mean, and the share that differs."""
    paths = [folder / f"{number}.jpg" for number in range(FILES)]
    found = torch.stack([(fast_square(path, 256).int() - pil_square(path, 256).int()).abs() for path in paths])
    return {
        "largest": int(found.max()),
        "mean": round(found.double().mean().item(), 5),
        "share": round((found > 0).double().mean().item(), 5),
    }


def main() -> None:
    """Passes over the same files in turns; the fastest of each counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=256, help="images of a pass")
    parser.add_argument("--size", type=int, nargs=2, default=(500, 375), metavar=("WIDTH", "HEIGHT"))
    parser.add_argument("--repeats", type=int, default=7)
    args = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "class"
        folder.mkdir()
        draw_files(folder, *args.size)
        records = [Record(f"{number % FILES}.jpg", 0) for number in range(args.images)]
        options = {"roots": [folder], "image_list": folder / "list", "class_names": ["0"], "augment": True}
        ours = {decoder: ImageDataset(records, **options, decoder=decoder) for decoder in ("fast", "pil")}
        plain = image_folder(Path(name), args.images)

        def loaders(workers: int) -> dict[str, DataLoader]:
            theirs = {"num_workers": workers, "persistent_workers": workers > 0, "shuffle": True}
            return {"ImageFolder": DataLoader(plain, BATCH, **theirs)} | {
                name: build_loader(dataset, BATCH, workers=workers, shuffle=True) for name, dataset in ours.items()
            }

        rates = {}
        for workers in (0, 1):
            passes = {key: lambda loader=loader: list(map(len, loader)) for key, loader in loaders(workers).items()}
            clock = time.perf_counter if workers else time.process_time
            times = measure.compare(passes, repeats=args.repeats, of=min, clock=clock)
            rates[workers] = {key: round(args.images / seconds, 1) for key, seconds in times.items()}
        kilobytes = sum(path.stat().st_size for path in folder.iterdir()) / FILES / 1000
        agreement = difference(folder)
    measure.report(
        "loader",
        images=args.images,
        size=args.size,
        kilobytes_per_file=round(kilobytes),
        images_per_second={"in this process": rates[0], "one worker": rates[1]},
        ratio_to_image_folder={
            where: {decoder: round(rate[decoder] / rate["ImageFolder"], 2) for decoder in ours}
            for where, rate in (("in this process", rates[0]), ("one worker", rates[1]))
        },
        grey_levels_fast_to_pil=agreement,
    )


if __name__ == "__main__":
    main()
