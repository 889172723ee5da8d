"""A user's own photographs -> metadata: which image is in which split, kept from run to run, and the boxes there are.

``<metadata_root>/folder/<name>-<digest of the place>/`` holds ``split.csv`` (path,class,split: the record of the
split, written once), ``source.txt`` (where the photographs are) and the text files of each split, which are made from
it, the images that are there and ``boxes.csv``. No image is opened, copied or renamed.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from calm.atomic import write_text
from calm.data_loaders.catalogue.folder import BOXES, OWN_FOLDER, class_places
from calm.data_loaders.metadata import can_be_listed, read_records, split_folder, write_records
from calm.data_loaders.record import SPLITS, Box, Record
from calm.data_loaders.scan import IMAGE_SUFFIXES, files_below, has_suffix
from calm.data_loaders.text_lines import fault, integers, read_rows
from calm.errors import UserError

SPLIT_FILE, SOURCE_FILE = "split.csv", "source.txt"
HEADER = "path,class,split"
SEED = 0
HELD_OUT = 10
"""One image in so many goes to val, and one to test."""


class Place(NamedTuple):
    """Where an image belongs: its class, and its split by the folders, "" where they name none."""

    class_name: str
    split: str


class Photographs(NamedTuple):
    """What a folder holds."""

    images: dict[str, Place]
    """Path relative to the folder -> its place; sorted by class, then path."""
    splits: tuple[str, ...]
    """Those that the folders name."""
    others: Counter[str]
    """Suffix -> number of files in class folders that are no images by it."""


def ensure(data_root: str | Path, metadata_root: str | Path, say=print) -> Path:
    """Split the photographs where that was not done before, and bring the lists up to date; returns their folder.

    Args:
        data_root: the photographs.
        metadata_root: for the metadata.
        say: takes what was done, and what changed since.

    Raises:
        UserError: the folder is no data set, or its classes are not those of the split.
    """
    root = Path(data_root)
    found = scan(root)
    lists = OWN_FOLDER.metadata_name(root)
    folder = Path(metadata_root) / lists
    boxes = read_boxes(root / BOXES, found.images)
    if (folder / SPLIT_FILE).is_file():
        recorded = read_split(folder / SPLIT_FILE)
        splits = _kept(root, folder, found, recorded, say)
    else:
        splits = divide(found)
        _say_split(root, folder, found, splits, say)
        write_text(folder / SOURCE_FILE, f"{root.resolve()}\n".encode("utf-8", "replace").decode())
        _write_split(folder / SPLIT_FILE, {path: (found.images[path].class_name, splits[path]) for path in splits})
    classes = sorted({place.class_name for place in found.images.values()})
    for split in SPLITS:
        listed = [path for path in found.images if splits.get(path) == split]
        records = [
            Record(path, classes.index(found.images[path].class_name), boxes=tuple(boxes.get(path, ())))
            for path in listed
        ]
        if not records:
            raise UserError(f"{root} has no image for {split}: add photographs, or a folder {split}/")
        if not _is_written(metadata_root, lists, split, records):
            write_records(metadata_root, lists, split, records)
    return folder


def scan(root: Path) -> Photographs:
    """Every image in the class folders, at any depth."""
    places, images, others = class_places(root), {}, Counter()
    for split, folders in places.items():
        for folder in folders:
            for path in sorted(files_below(folder)):
                if not has_suffix(path.name, IMAGE_SUFFIXES):
                    others[path.suffix.lower() or path.name] += 1
                    continue
                name = path.relative_to(root).as_posix()
                if not can_be_listed(name):
                    raise UserError(
                        f"{root}: the name {name!r} has a comma, a line break, a space at an end or bytes that are "
                        "not UTF-8, which the lists of images cannot hold: rename it"
                    )
                if path.is_file():
                    images[name] = Place(folder.name, split)
    classes = {place.class_name for place in images.values()}
    if len(classes) < 2:
        raise UserError(f"{root} has one class, {classes.pop()}: a classifier needs a folder for each of several")
    return Photographs(images, tuple(split for split in places if split), others)


def divide(found: Photographs) -> dict[str, str]:
    """Path -> split: as the folders say; a split that they do not name is drawn from the training images.

    Of a class with ten images or more one in ten goes to each, stratified over these classes together; a smaller class
    gives one image to each as far as it can keep one for training, to test first.
    """
    splits = {path: place.split or "train" for path, place in found.images.items()}
    drawn = [split for split in ("test", "val") if split not in found.splits]
    by_class = defaultdict(list)
    for path, place in found.images.items():
        if splits[path] == "train":
            by_class[place.class_name].append(path)
    large = {path: name for name, paths in by_class.items() if len(paths) >= HELD_OUT for path in paths}
    share, rest = -(-len(large) // HELD_OUT), list(large)
    for split in drawn if large else ():
        rest, chosen = _drawn(rest, share, [large[path] for path in rest])
        splits |= dict.fromkeys(chosen, split)
    for paths in by_class.values():
        if len(paths) < HELD_OUT:
            rest = paths
            for split in drawn[: len(paths) - 1]:
                rest, chosen = _drawn(rest, 1)
                splits |= dict.fromkeys(chosen, split)
    return splits


def _drawn(paths: list[str], count: int, classes: list[str] | None = None) -> tuple[list[str], list[str]]:
    """The others, and ``count`` of the paths, stratified by class where classes are given."""
    from sklearn.model_selection import train_test_split  # takes a second, and most runs only read the split

    rest, chosen = train_test_split(paths, test_size=count, random_state=SEED, stratify=classes)
    return rest, chosen


def read_split(path: Path) -> dict[str, tuple[str, str]]:
    """The record of a split: image -> its class and split."""
    recorded = {}
    for number, (image, class_name, split) in read_rows(path, HEADER):
        if (image, class_name, split) == tuple(HEADER.split(",")):
            continue
        if split not in SPLITS:
            raise fault(path, number, f"{split} is none of {', '.join(SPLITS)}")
        if image in recorded:
            raise fault(path, number, f"{image} is listed twice")
        recorded[image] = (class_name, split)
    return recorded


def _write_split(path: Path, splits: Mapping[str, tuple[str, str]]) -> None:
    lines = [f"{image},{class_name},{split}\n" for image, (class_name, split) in splits.items()]
    write_text(path, "".join([f"{HEADER}\n", *lines]))


def _kept(root: Path, folder: Path, found: Photographs, recorded: Mapping[str, tuple[str, str]], say) -> dict[str, str]:
    """Path -> split of the images that are there, as recorded; says what changed since.

    An image that is new is in no split, unless its folder names one: then it joins that, and the record.
    """
    anew = f"to split anew, remove {folder}"
    before = {class_name for class_name, _ in recorded.values()}
    now = {place.class_name for place in found.images.values()}
    if now != before:
        differing = "; ".join(
            f"{words} {_some(names)}" for words, names in (("new:", now - before), ("gone:", before - now)) if names
        )
        raise UserError(f"the classes in {root} are not those of its split ({differing}): put them back, or {anew}")
    splits = {path: split for path, (_, split) in recorded.items() if path in found.images}
    gone = [path for path in recorded if path not in found.images]
    new = {path: place for path, place in found.images.items() if path not in recorded}
    joining = {path: place.split for path, place in new.items() if place.split}
    left_out = [path for path in new if path not in joining]
    changes = [
        f"{len(paths):,} image{'s' * (len(paths) > 1)} {words} ({_some(paths)})"
        for paths, words in (
            (gone, "gone"),
            (list(joining), "new, in the split of the folder"),
            (left_out, "new and in no split"),
        )
        if paths
    ]
    if changes:
        say(f"notice: {root} changed since its split was written: {', '.join(changes)}; {anew}")
    splits |= joining
    if found.splits and changes:
        _write_split(
            folder / SPLIT_FILE, {path: (found.images[path].class_name, split) for path, split in splits.items()}
        )
    return splits


def _some(names: Collection[str]) -> str:
    first = sorted(names)[:3]
    return ", ".join(first) + (", ..." if len(names) > len(first) else "")


def _say_split(root: Path, folder: Path, found: Photographs, splits: Mapping[str, str], say) -> None:
    counts, classes = Counter(splits.values()), {place.class_name for place in found.images.values()}
    drawn = [split for split in SPLITS if split not in found.splits]
    how = f"drawn with seed {SEED}" if not found.splits else f"{' and '.join(drawn)} drawn from train" if drawn else ""
    say(
        f"notice: {root} has {len(splits):,} images of {len(classes):,} classes: "
        f"{', '.join(f'{counts[split]:,} {split}' for split in SPLITS)}{how and f' ({how})'}; kept in {folder}"
    )
    if found.others:
        suffixes = ", ".join(f"{count:,} {suffix}" for suffix, count in found.others.most_common(5))
        say(f"notice: passed over in {root}, no images by their names: {suffixes}")
    for split in SPLITS:
        lacking = classes - {found.images[path].class_name for path, named in splits.items() if named == split}
        if lacking and counts[split]:
            say(f"notice: {split} has no image of {_some(lacking)}")


def read_boxes(path: Path, images: Collection[str]) -> dict[str, list[Box]]:
    """Image -> its boxes, from lines ``path,x0,y0,x1,y1``, with or without a line of these words; none without a file.

    Lines of images that are not in the folder do not count, as long as one does.
    """
    boxes: dict[str, list[Box]] = {}
    if not path.is_file():
        return boxes
    fields = "path,x0,y0,x1,y1"
    for number, (image, *words) in read_rows(path, fields):
        if number == 1 and not any(word.strip().lstrip("-").isdigit() for word in words):
            continue
        x0, y0, x1, y1 = integers(path, number, words)
        if not 0 <= x0 <= x1 or not 0 <= y0 <= y1:
            raise fault(path, number, f"{x0},{y0},{x1},{y1} is not x0,y0,x1,y1 of a box, in whole pixels from 0")
        boxes.setdefault(image.strip().removeprefix("./"), []).append((x0, y0, x1, y1))
    if boxes and not any(image in images for image in boxes):
        raise UserError(
            f"{path} has no box for any image in {path.parent}: its paths are relative to that folder, such as "
            f"{next(iter(images))}"
        )
    return boxes


def _is_written(metadata_root: str | Path, lists: str, split: str, records: Iterable[Record]) -> bool:
    """Whether the lists of a split say this already."""
    if not split_folder(metadata_root, lists, split).is_dir():
        return False
    try:
        return list(read_records(metadata_root, lists, split)) == records
    except UserError:
        return False
