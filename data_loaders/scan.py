"""Which files and folders of a data set count: no hidden ones, and none that other programs leave behind."""

import os
from collections.abc import Collection, Iterator
from pathlib import Path

IMAGE_SUFFIXES = frozenset(
    {
        ".jpg",
        ".jpeg",
        ".jpe",
        ".jfif",
        ".png",
        ".bmp",
        ".webp",
        ".gif",
        ".tif",
        ".tiff",
        ".ppm",
        ".pgm",
        ".avif",
        ".jp2",
    }
)
"""In lower case; a file's own may have any case."""
LEFT_BEHIND = frozenset({"__macosx", "thumbs.db", "desktop.ini", "@eadir", "$recycle.bin"})


def is_visible(name: str) -> bool:
    """Whether a file or folder of this name belongs to the data: ``.ipynb_checkpoints`` or ``._x.jpg`` does not."""
    return not name.startswith(".") and name.lower() not in LEFT_BEHIND


def has_suffix(name: str, suffixes: Collection[str]) -> bool:
    """Whether the name ends in one of these suffixes, in any case."""
    return os.path.splitext(name)[1].lower() in suffixes


def files_of(folder: Path, suffixes: Collection[str] = IMAGE_SUFFIXES) -> list[Path]:
    """Visible files of ``folder`` itself with one of the suffixes, sorted; none where the folder is not there."""
    if not folder.is_dir():
        return []
    with os.scandir(folder) as entries:  # knows files from folders without asking for each of a million
        names = [entry.name for entry in entries if _counts(entry, suffixes)]
    return [folder / name for name in sorted(names)]


def class_folders(folder: Path, suffixes: Collection[str] = IMAGE_SUFFIXES) -> list[Path]:
    """Visible folders in ``folder`` that hold such a file, sorted by name; none where the folder is not there.

    So a folder that is empty, or holds only notes, moves no label.
    """
    found = sorted(path for path in folder.iterdir() if is_visible(path.name)) if folder.is_dir() else []
    return [path for path in found if path.is_dir() and _holds_any(path, suffixes)]


def files_below(folder: Path) -> Iterator[Path]:
    """Visible files in ``folder`` and its visible folders, at any depth, links followed, each folder once; unsorted."""
    entered = set()
    for place, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(place)
        if real in entered:  # a link to a folder above it, which would never end, or a second one to the same folder
            folders.clear()
            continue
        entered.add(real)
        folders[:] = sorted(filter(is_visible, folders))
        yield from (Path(place) / name for name in names if is_visible(name))


def images_below(folder: Path) -> list[Path]:
    """Those of ``files_below`` that are images, sorted."""
    return sorted(path for path in files_below(folder) if has_suffix(path.name, IMAGE_SUFFIXES) and path.is_file())


def holds_images(folder: Path) -> bool:
    """Whether there is any image below the folder."""
    return any(has_suffix(path.name, IMAGE_SUFFIXES) and path.is_file() for path in files_below(folder))


def _holds_any(folder: Path, suffixes: Collection[str]) -> bool:
    with os.scandir(folder) as entries:
        return any(_counts(entry, suffixes) for entry in entries)


def _counts(entry: os.DirEntry, suffixes: Collection[str]) -> bool:
    return is_visible(entry.name) and has_suffix(entry.name, suffixes) and entry.is_file()
