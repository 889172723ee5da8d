"""The record of a data set: everything that the rest of the project asks about it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from calm.data_loaders.record import Record
from calm.data_loaders.supersets import Supersets, alone
from calm.errors import UserError

Preparer = Callable[[Path, Callable[[str], None]], dict[str, list[Record]]]
Say = Callable[[str], object]
"""Takes a sentence for the user."""
MaskFiles = tuple[tuple[Path, ...], Path | None]
"""The masks of an image's objects, and the mask of the pixels that do not count."""


@dataclass(frozen=True, kw_only=True, eq=False)
class DataSet:
    """A data set: where it lies, what its classes are, where its objects are, and how its metadata is made.

    Attributes:
        name: what users call it.
        folder: its folder below the data root.
        read_class_names: (that folder) -> a name for each class, in class order; none where the files do not tell.
        read_wnids: (that folder) -> the WordNet id of each class, in class order, where its classes are WordNet's.
        num_classes: fixed, or counted in the folder; None: as many as there are names.
        aliases: further names.
        image_roots: split -> folders below the data root that image ids are relative to, the likeliest first; a split
            that is not there takes ``folder``.
        localization: whether localization.txt lists boxes or the files of masks.
        masks: (record of an image, data_root, mask_root) -> its mask files, where the data set has masks.
        has_parts: attributes of classes and keypoints of images in CUB's layout.
        exact_parts: part masks as well, ``part_masks/<image>.png``.
        supersets: (num_classes, data_root) -> class -> the classes that share its parts.
        families: (num_classes) -> class -> the classes that differ from it in few parts, where that is known.
        prepare: (data_root, say) -> records of each split, from the data set's own files.
        ensure: (data_root, metadata_root, say): makes images and metadata where they are missing.
        unusual: (its folder) -> the options, in words, with which it was made where they are not the defaults.
        redraw: (its folder) -> (image id) -> a test picture drawn again with its parts changed
            (``synthbirds.redraw.Redrawn``), where pictures can be drawn.
        lists: (data_root) -> folder of its metadata below the metadata root; None: its name.
        truths: (its folder) -> whether it has true boxes, and true masks; None: as ``localization`` and ``masks`` say.
        command: makes the metadata; None: that of ``data_loaders.prepare``, as it is called in an installed
            package too.
    """

    name: str
    folder: str
    read_class_names: Callable[[Path], list[str]]
    read_wnids: Callable[[Path], list[str]] | None = None
    num_classes: int | Callable[[Path], int] | None = None
    aliases: tuple[str, ...] = ()
    image_roots: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    localization: Literal["boxes", "masks"] = "boxes"
    masks: Callable[[Record, Path, Path], MaskFiles] | None = None
    has_parts: bool = False
    exact_parts: bool = False
    supersets: Callable[[int, str | Path], Supersets] = alone
    families: Callable[[int], dict[int, list[int]]] | None = None
    prepare: Preparer | None = None
    ensure: Callable[[str | Path, str | Path, Say], object] | None = None
    unusual: Callable[[Path], str | None] | None = None
    redraw: Callable[[Path], Callable[[str], Any]] | None = None
    lists: Callable[[Path], str] | None = None
    truths: Callable[[Path], tuple[bool, bool]] | None = None
    command: str | None = None

    @property
    def made_by(self) -> str:
        """The command that makes its metadata."""
        return self.command or f"python -m calm prepare {self.name}"

    def root(self, data_root: str | Path) -> Path:
        """The data set's folder."""
        return Path(data_root) / self.folder

    def metadata_name(self, data_root: str | Path) -> str:
        """The folder of its metadata below the metadata root."""
        return self.lists(Path(data_root)) if self.lists else self.name

    def has_truth(self, data_root: str | Path) -> tuple[bool, bool]:
        """Whether it has true boxes, and true masks."""
        if self.truths is not None:
            return self.truths(self.root(data_root))
        return self.localization == "boxes", self.masks is not None

    def mask_files(self, record: Record, data_root: Path, mask_root: Path) -> MaskFiles:
        """The masks of an image's objects; a UserError where the data set has none."""
        if self.masks is None:
            raise UserError(f"{self.name} has no masks")
        return self.masks(record, data_root, mask_root)

    def image_folders(self, split: str, data_root: str | Path) -> list[Path]:
        """Folders that the image ids of a split may be relative to, the likeliest first."""
        return [Path(data_root) / folder for folder in self.image_roots.get(split, (self.folder,))]

    def count_classes(self, data_root: str | Path) -> int:
        """Number of classes; a UserError where the files that list them are missing."""
        if self.num_classes is None:
            return len(self.read_class_names(self.root(data_root)))
        return self.num_classes if isinstance(self.num_classes, int) else self.num_classes(self.root(data_root))

    def wnids(self, data_root: str | Path) -> list[str]:
        """The WordNet id of each class, in class order; none where the classes are not WordNet's."""
        return self.read_wnids(self.root(data_root)) if self.read_wnids else []

    def class_names(self, data_root: str | Path) -> list[str]:
        """A name for each class, for people to read; the class's number where the data set's folder does not tell."""
        names, count = self.read_class_names(self.root(data_root)), self.count_classes(data_root)
        if names and len(names) != count:
            raise UserError(
                f"{self.root(data_root)} names {len(names)} classes, but {self.name} has {count}: "
                "check its list of classes"
            )
        return names or [str(target) for target in range(count)]
