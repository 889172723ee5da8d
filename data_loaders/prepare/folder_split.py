"""The split of a user's own photographs: drawn, or taken from the folders, once; written down and kept."""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from pathlib import Path

from calm.atomic import write_text
from calm.data_loaders.catalogue.record import Say
from calm.data_loaders.prepare.folder_images import Photographs
from calm.data_loaders.record import SPLITS
from calm.data_loaders.text_lines import fault, read_rows
from calm.errors import UserError

SPLIT_FILE = "split.csv"
HEADER = "path,class,split"
SEED = 0
HELD_OUT = 10
"""One image in so many goes to val, and one to test."""


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


def write_split(path: Path, splits: Mapping[str, tuple[str, str]]) -> None:
    lines = [f"{image},{class_name},{split}\n" for image, (class_name, split) in splits.items()]
    write_text(path, "".join([f"{HEADER}\n", *lines]))


def kept_split(
    root: Path, folder: Path, found: Photographs, recorded: Mapping[str, tuple[str, str]], say: Say
) -> dict[str, str]:
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
        write_split(
            folder / SPLIT_FILE, {path: (found.images[path].class_name, split) for path, split in splits.items()}
        )
    return splits


def _some(names: Collection[str]) -> str:
    first = sorted(names)[:3]
    return ", ".join(first) + (", ..." if len(names) > len(first) else "")


def say_split(root: Path, folder: Path, found: Photographs, splits: Mapping[str, str], say: Say) -> None:
    counts, classes = Counter(splits.values()), {place.class_name for place in found.images.values()}
    drawn = [split for split in SPLITS if split not in found.splits]
    how = f"drawn with seed {SEED}" if not found.splits else f"{' and '.join(drawn)} drawn from train" if drawn else ""
    say(
        f"notice: {root} has {len(splits):,} images of {len(classes):,} classes: "
        f"{', '.join(f'{counts[split]:,} {split}' for split in SPLITS)}{how and f' ({how})'}; kept in {folder}"
        + ("; a network trained on another split may have seen its test images" if "test" in drawn else "")
    )
    if found.others:
        suffixes = ", ".join(f"{count:,} {suffix}" for suffix, count in found.others.most_common(5))
        say(f"notice: passed over in {root}, no images by their names: {suffixes}")
    for split in SPLITS:
        lacking = classes - {found.images[path].class_name for path, named in splits.items() if named == split}
        if lacking and counts[split]:
            say(f"notice: {split} has no image of {_some(lacking)}")
