"""The classes of each data set: how many, and what they are called."""

from pathlib import Path

from calm.data_loaders.text_lines import fault, read_lines
from calm.errors import UserError

ALIASES = {"ImageNet": "ILSVRC"}
FOLDERS = {
    "CUB": "CUB",
    "ILSVRC": "ILSVRC",
    "OpenImages": "OpenImages",
    "TinyImageNet": "tiny-imagenet-200",
    "SynthBirds": "SynthBirds",
}
"""Data set -> its folder under the data root."""

FIXED_COUNTS = {"CUB": 200, "ILSVRC": 1000, "OpenImages": 100}


def canonical_dataset(name: str) -> str:
    """Our name of a data set; ImageNet is ILSVRC."""
    name = ALIASES.get(name, name)
    if name not in FOLDERS:
        raise UserError(f"there is no data set {name}; these are known: {', '.join([*FOLDERS, *ALIASES])}")
    return name


def count_classes(dataset_name: str, data_root: str | Path) -> int:
    """Number of classes: fixed, or the lines of TinyImageNet's wnids.txt or SynthBirds's classes.txt."""
    name = canonical_dataset(dataset_name)
    if name in FIXED_COUNTS:
        return FIXED_COUNTS[name]
    return len(read_wnids(data_root) if name == "TinyImageNet" else _numbered_names(_classes_file(name, data_root)))


def class_names(dataset_name: str, data_root: str | Path) -> list[str]:
    """A name for each class, for people to read.

    CUB and SynthBirds: classes.txt. TinyImageNet: words.txt. ILSVRC: LOC_synset_mapping.txt or else torchvision's list.
    OpenImages: the mids, which are its folders. Where the data set's folder does not tell, the class's number.
    """
    name = canonical_dataset(dataset_name)
    folder = Path(data_root) / FOLDERS[name]
    count = count_classes(name, data_root)
    if name == "TinyImageNet":
        words = _words(folder / "words.txt") if (folder / "words.txt").is_file() else {}
        names = [words.get(wnid, wnid) for wnid in read_wnids(data_root)]
    elif name == "ILSVRC":
        mapping = folder / "LOC_synset_mapping.txt"
        listed = _words(mapping, separator=" ") if mapping.is_file() else {}
        names = [listed[wnid] for wnid in sorted(listed)] or _torchvision_names()
    elif name == "OpenImages":
        names = _folders_of_classes(folder, ("train", "val", "test"), count)
    else:
        path = _classes_file(name, data_root)
        names = _numbered_names(path) if path.is_file() else _folders_of_classes(folder, ("images", "."), count)
    if names and len(names) != count:
        raise UserError(f"{folder} names {len(names)} classes, but {name} has {count}: check its list of classes")
    return names or [str(target) for target in range(count)]


def read_wnids(data_root: str | Path) -> list[str]:
    """TinyImageNet's WordNet ids in class order: the lines of wnids.txt, which are not sorted."""
    path = Path(data_root) / FOLDERS["TinyImageNet"] / "wnids.txt"
    if not path.is_file():
        raise UserError(f"{path} does not exist: unpack tiny-imagenet-200.zip into --data_root")
    wnids = read_lines(path)
    for number, wnid in enumerate(wnids, start=1):
        if wnid in wnids[: number - 1]:
            raise fault(path, number, f"{wnid} is listed twice")
    if not wnids:
        raise UserError(f"{path} lists no class")
    return wnids


def _classes_file(name: str, data_root: str | Path) -> Path:
    path = Path(data_root) / FOLDERS[name] / "classes.txt"
    if name == "SynthBirds" and not path.is_file():
        raise UserError(f"{path} does not exist: draw the birds with python -m data_loaders.synthbirds")
    return path


def _numbered_names(path: Path) -> list[str]:
    """Names of a file with lines ``number name``, numbered from 1 in order."""
    names = []
    for expected, line in enumerate(read_lines(path), start=1):
        number, _, name = line.partition(" ")
        if number != str(expected) or not name:
            raise fault(path, expected, f"expected '{expected} <class name>' but found {line!r}")
        names.append(name.strip())
    if not names:
        raise UserError(f"{path} lists no class")
    return names


def _words(path: Path, *, separator: str = "\t") -> dict[str, str]:
    """wnid -> words, from lines of both."""
    words = {}
    for number, line in enumerate(read_lines(path), start=1):
        wnid, found, text = line.partition(separator)
        if not found:
            raise fault(path, number, f"expected a WordNet id and words but found {line!r}")
        words[wnid] = text.strip()
    return words


def _torchvision_names() -> list[str]:
    """ILSVRC's class names as torchvision's weights carry them, in the order of the sorted WordNet ids."""
    from torchvision.models import ResNet50_Weights  # slow to import, and preparing a data set does without it

    return list(ResNet50_Weights.IMAGENET1K_V1.meta["categories"])


def _folders_of_classes(folder: Path, places: tuple[str, ...], count: int) -> list[str]:
    """Sorted names of the folders in the first place that has one for each class, or none."""
    for place in (folder / place for place in places):
        names = sorted(path.name for path in place.iterdir() if path.is_dir()) if place.is_dir() else []
        if len(names) == count:
            return names
    return []


def display_name(name: str) -> str:
    """Class name as people read it: "027.Painted_Bunting" -> "Painted Bunting"."""
    head, dot, tail = name.partition(".")
    return (tail if dot and head.isdigit() and tail else name).replace("_", " ")


def short_name(name: str) -> str:
    """The displayed name up to its first comma, for titles: WordNet's names list synonyms."""
    return display_name(name).split(",")[0]
