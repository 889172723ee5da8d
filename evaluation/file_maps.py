"""Score maps that lie in a folder, one file per image, made by any tool."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from calm.attribution.score_map import resize
from calm.data_loaders.datasets import ImageDataset
from calm.data_loaders.score_maps import read_score_map, score_map_path, shape_of, shared_stems
from calm.distributed import print0, progress, shard
from calm.engine import Prediction
from calm.errors import UserError


def score_map_at(path: Path, size: int) -> np.ndarray:
    """The map of a file, [size,size] in [0,1]; one of another size is resized."""
    values = read_score_map(path)
    if values.shape == (size, size):
        return values
    return resize(torch.from_numpy(values)[None], size)[0].clamp(0, 1).numpy()


def name_of(root: str | Path) -> str:
    """What results call the maps of a folder."""
    return f"maps of {root}"


class MapFolder:
    """The maps of a folder.

    Args:
        root: the folder.
        image_ids: of all images that are evaluated.
        size: side of the score maps.
    """

    def __init__(self, root: str | Path, image_ids: Iterable[str], size: int) -> None:
        self.root, self.size, self.name = Path(root), size, name_of(root)
        if not self.root.is_dir():
            raise UserError(f"`scoremap_root`={root}: no such folder")
        self._noticed, self._shared = False, shared_stems(image_ids)

    def find(self, image_id: str, folder: str = "") -> Path:
        """The file of an image, looked for in a folder of the root."""
        return score_map_path(self.root / folder, image_id, self._shared)

    def path(self, image_id: str, folder: str = "") -> Path:
        """As ``find``; of the first map to be resized a notice is given."""
        path = self.find(image_id, folder)
        if not self._noticed and (shape := shape_of(path)) not in (None, (self.size, self.size)):
            print0(f"notice: {path} has shape {shape}: maps are resized to {self.size} x {self.size}")
            self._noticed = True
        return path

    def read(self, image_id: str, folder: str = "") -> np.ndarray:
        """The score map [size,size] of an image."""
        return score_map_at(self.path(image_id, folder), self.size)


class FileMaps:
    """Score maps [size,size] of the images of a data set, from a folder."""

    knows_ranks = False
    """No network, no rank of the true class."""
    again = None
    """Nor one with untrained heads."""

    def __init__(self, root: str | Path, dataset: ImageDataset, size: int) -> None:
        image_ids = (record.image_id for record in dataset.records)
        self._folder, self._dataset = MapFolder(root, image_ids, size), dataset
        self.name = self._folder.name

    def _image_id(self, index: int) -> str:
        return self._dataset.records[index].image_id

    def stream(self) -> Iterator[tuple[int, tuple[None], tuple[Path]]]:
        """(index, nothing, file) of this process's images; a missing file is named before the first is read."""
        indices = shard(range(len(self._dataset)))
        for index in indices:
            self._folder.find(self._image_id(index))
        for index in progress(indices, "score maps"):
            yield index, (None,), (self._folder.path(self._image_id(index)),)

    def some(self, indices: Sequence[int]) -> list[np.ndarray]:
        """The maps of a few images."""
        return [self._folder.read(self._image_id(index)) for index in indices]

    def of_batch(self, batch: Prediction) -> Tensor:
        """The maps [B,size,size] of a batch, float32, where its images are."""
        maps = np.stack(self.some(batch.indices.tolist()))
        return torch.from_numpy(maps).to(batch.images.device, torch.float32)


class ClassFileMaps:
    """Score maps of several classes per image: ``<root>/<class id from 1>/<image id>.npy``.

    Args:
        root: the folder.
        image_ids: of the images, by position.
        size: side of the score maps.
    """

    def __init__(self, root: str | Path, image_ids: Sequence[str], size: int) -> None:
        self._folder, self._image_ids = MapFolder(root, image_ids, size), image_ids
        self.name = self._folder.name

    def __call__(self, images: Tensor, positions: Sequence[int], classes: Sequence[Sequence[int]]) -> Tensor:
        """The maps [n,size,size] of some images and the classes of each, image by image."""
        wanted = [(position, c) for position, own in zip(positions, classes, strict=True) for c in own]
        maps = [self._folder.read(self._image_ids[position], str(c + 1)) for position, c in wanted]
        return torch.from_numpy(np.stack(maps)).float()
