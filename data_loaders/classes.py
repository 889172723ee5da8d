"""Lists of classes as the data sets write them, and the names people read."""

from pathlib import Path

from calm.data_loaders.scan import class_folders
from calm.data_loaders.text_lines import fault, read_lines
from calm.errors import UserError


def numbered_names(path: Path) -> list[str]:
    """Names of a file with lines ``number name``, numbered from 1 in order, such as CUB's classes.txt."""
    names = []
    for expected, line in enumerate(read_lines(path), start=1):
        number, _, name = line.partition(" ")
        if number != str(expected) or not name:
            raise fault(path, expected, f"expected '{expected} <class name>' but found {line!r}")
        names.append(name.strip())
    if not names:
        raise UserError(f"{path} lists no class")
    return names


def wordnet_names(path: Path, *, separator: str = "\t") -> dict[str, str]:
    """WordNet id -> words, from lines of both."""
    words = {}
    for number, line in enumerate(read_lines(path), start=1):
        wnid, found, text = line.partition(separator)
        if not found:
            raise fault(path, number, f"expected a WordNet id and words but found {line!r}")
        words[wnid] = text.strip()
    return words


def folders_of_classes(folder: Path, places: tuple[str, ...], count: int) -> list[str]:
    """Sorted names of the folders in the first place that has one for each class, or none."""
    for place in (folder / place for place in places):
        names = [path.name for path in class_folders(place)]
        if len(names) == count:
            return names
    return []


LONGEST = 200
"""Letters of a class name that are shown."""


def display_name(name: str) -> str:
    """Class name as people read it: "027.Painted_Bunting" -> "Painted Bunting"; a very long one is cut.

    A number with a fraction, such as "1.5_mm", stays whole.
    """
    head, _, tail = name.partition(".")
    words = tail if head.isdigit() and tail and not tail[0].isdigit() else name
    return (words if len(words) <= LONGEST else f"{words[:LONGEST]}…").replace("_", " ")


def short_name(name: str) -> str:
    """The displayed name up to its first comma, for titles: WordNet's names list synonyms."""
    return display_name(name).split(",")[0]
