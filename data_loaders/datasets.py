"""One split of a data set: records -> images -> batches."""

from collections.abc import Sequence
from copy import copy
from functools import cached_property
from pathlib import Path
from typing import Self

from torch import Tensor

from calm.data_loaders import images, transforms
from calm.data_loaders.catalogue import dataset_named
from calm.data_loaders.decoders import decoder_named
from calm.data_loaders.loaders import Items, build_loader
from calm.data_loaders.metadata import IMAGE_IDS, PROXY_IDS, read_records, split_folder
from calm.data_loaders.record import SPLITS, Record, Size
from calm.errors import UserError

__all__ = ["ImageDataset", "build_dataset", "build_loader"]

Key = int | tuple[int, int]


class ImageDataset(Items):
    """Images of one split: index -> (image float32 [3,S,S], target, index).

    Loaders take the images as bytes, see ``in_bytes``.

    A key (epoch, index) names the epoch whose random crop and flip are wanted; a plain index is epoch 0. The item is a
    pure function of the key, whichever process loads it.

    Args:
        records: what is known of each image.
        roots: folders that the image ids may be relative to; the first that holds the first image is taken.
        image_list: the file that lists record i on line i + 1, for errors.
        class_names: a name for each class.
        resize_size, crop_size: sides in pixels; without ``augment`` the whole image becomes crop_size.
        mean, std: the trunk's input normalisation, on the scale 0 to 1.
        augment: random crop and flip.
        seed: of crop and flip.
        decoder: a name in ``decoders.DECODERS``; "pil" gives the pixels of the published code.
    """

    def __init__(
        self,
        records: Sequence[Record],
        *,
        roots: Sequence[Path],
        image_list: Path,
        class_names: Sequence[str],
        resize_size: int = 256,
        crop_size: int = 224,
        mean: Sequence[float] = transforms.IMAGENET_MEAN,
        std: Sequence[float] = transforms.IMAGENET_STD,
        augment: bool = False,
        seed: int = 0,
        decoder: str = "pil",
    ) -> None:
        if augment:
            transforms.check_sizes(resize_size, crop_size)
        self.records, self.roots, self.image_list, self.class_names = records, roots, image_list, class_names
        self.resize_size, self.crop_size, self.mean, self.std = resize_size, crop_size, mean, std
        self.augment, self.seed, self._in_bytes = augment, seed, False
        self._read_square = decoder_named(decoder)
        self._lines: Sequence[int] = range(1, len(records) + 1)

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, index: Key) -> tuple[Tensor, int, int]:
        epoch, index = index if isinstance(index, tuple) else (0, index)
        side = self.resize_size if self.augment else self.crop_size
        pixels = self._read_square(self.image_path(index), side, listed=self.listed(index))
        if self.augment:
            pixels = transforms.training_view(
                pixels, crop_size=self.crop_size, seed=self.seed, epoch=epoch, index=index
            )
        image = pixels if self._in_bytes else transforms.normalised(pixels, self.mean, self.std)
        return image, self.records[index].target, index

    def in_bytes(self) -> Self:
        """The same images as uint8, a quarter of the memory; a loader normalises them by the batch on its device."""
        unscaled = copy(self)
        unscaled._in_bytes = True
        return unscaled

    @cached_property
    def root(self) -> Path:
        """Folder that the image ids are relative to."""
        for root in self.roots:
            if (root / self.records[0].image_id).is_file():
                return root
        folders = " or ".join(str(root) for root in self.roots)
        raise UserError(f"{self.listed(0)}: {self.records[0].image_id} is not in {folders}; check `data_root`")

    def name_of(self, index: int) -> str:
        """The image's name, as it is listed."""
        return self.records[index].image_id

    def image_path(self, index: int) -> Path:
        """File of the image."""
        return self.root / self.records[index].image_id

    def original_size(self, index: int) -> Size:
        """Width and height of the stored image in pixels, from the metadata or else from the file's header."""
        return self.records[index].size or images.read_size(self.image_path(index), listed=self.listed(index))

    def listed(self, index: int) -> str:
        """Where the image is listed, for errors."""
        return f"{self.image_list}, line {self._lines[index]}"

    def viewed(self, *, crop_size: int, mean: Sequence[float], std: Sequence[float]) -> Self:
        """The same images, at another size and normalised for another trunk."""
        other = copy(self)
        other.crop_size, other.mean, other.std = crop_size, mean, std
        return other

    def subset(self, indices: Sequence[int]) -> Self:
        """Some of the images, in this order."""
        chosen = copy(self)
        chosen.records = [self.records[index] for index in indices]
        chosen._lines = [self._lines[index] for index in indices]
        return chosen


def build_dataset(
    dataset_name: str,
    split: str,
    *,
    data_root: str | Path,
    metadata_root: str | Path,
    resize_size: int = 256,
    crop_size: int = 224,
    mean: Sequence[float] = transforms.IMAGENET_MEAN,
    std: Sequence[float] = transforms.IMAGENET_STD,
    augment: bool = False,
    seed: int = 0,
    decoder: str = "pil",
    proxy: bool = False,
    class_names: Sequence[str] | None = None,
    need_images: bool = True,
) -> ImageDataset:
    """One split of a data set.

    Args:
        dataset_name: a data set of the catalogue.
        split: train, val or test.
        data_root, metadata_root: folders of the data sets and of the metadata.
        proxy: take image_ids_proxy.txt; the list exists for the training split alone.
        class_names: of the data set, where they were read before; labels lie below their number. None reads them.
        need_images: find the image folder now; else when the first image is asked for.
        resize_size, crop_size, mean, std, augment, seed, decoder: see ``ImageDataset``.
    """
    data_set = dataset_named(dataset_name)
    if split not in SPLITS:
        raise UserError(f"there is no split {split}; these are known: {', '.join(SPLITS)}")
    class_names = data_set.class_names(data_root) if class_names is None else class_names
    lists = data_set.metadata_name(data_root)
    dataset = ImageDataset(
        read_records(
            metadata_root,
            lists,
            split,
            localization=data_set.localization,
            num_classes=len(class_names),
            proxy=proxy,
            made_by=data_set.made_by,
        ),
        roots=data_set.image_folders(split, data_root),
        image_list=split_folder(metadata_root, lists, split) / (PROXY_IDS if proxy else IMAGE_IDS),
        class_names=class_names,
        resize_size=resize_size,
        crop_size=crop_size,
        mean=mean,
        std=std,
        augment=augment,
        seed=seed,
        decoder=decoder,
    )
    if need_images:
        _ = dataset.root
    return dataset
