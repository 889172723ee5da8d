"""ILSVRC 2012 (CLS-LOC) and ImageNetV2 -> records."""

from collections.abc import Callable, Mapping
from pathlib import Path
from xml.etree import ElementTree

from calm.data_loaders.images import read_size
from calm.data_loaders.record import Box, Record
from calm.data_loaders.scan import class_folders, files_of
from calm.data_loaders.supersets import imagenet_wnids
from calm.data_loaders.text_lines import read_lines
from calm.errors import UserError

ANNOTATION_FOLDERS = ("Annotations/CLS-LOC/val", "Annotations/val", "Annotations", "bbox/val", "val")
"""Where the XML files of the validation images may lie below ILSVRC/."""

Annotations = dict[str, tuple[str, tuple[Box, ...]]]
"""Name of a validation image without suffix -> WordNet id and boxes."""


def records(data_root: Path, say: Callable[[str], None]) -> dict[str, list[Record]]:
    """Train from its class folders, test from the official validation images and their XML files, val from ImageNetV2.

    A label is the rank of the class's WordNet id among the sorted ids. Training images get neither sizes nor boxes, as
    in the published lists.
    """
    root = data_root / "ILSVRC"
    if not (root / "train").is_dir() and not (root / "val").is_dir():
        raise UserError(f"{root} has neither train/ nor val/: check `data_root`")
    annotations = _read_annotations(root)
    wnids = _wnids(root, annotations)
    targets = {wnid: target for target, wnid in enumerate(wnids)}
    if len(wnids) != 1000:
        say(
            f"{len(wnids)} classes are there instead of 1000: the labels count these, but names and supersets are "
            "those of ILSVRC's first ones; as a folder of photographs (docs/own_data.md) classes keep their own"
        )
    training = [(wnid, path.name) for wnid in wnids for path in files_of(root / "train" / wnid)]
    splits = {
        "train": [Record(f"train/{wnid}/{name}", targets[wnid]) for wnid, name in training],
        "val": _v2_records(root, targets, say) or _v2_records(data_root / "ImageNetV2", targets, say),
    }
    if annotations:
        splits["test"] = [_test_record(path, targets, annotations) for path in files_of(root / "val")]
    else:
        say(f"test: no XML files in {root / ANNOTATION_FOLDERS[0]}; take the published lists or unpack them there")
    if splits["val"]:
        say("val: the boxes of ImageNetV2 are in the published lists only; localization.txt is left empty")
    for split in [split for split, found in splits.items() if not found]:
        say(f"{split}: no images found, no lists written")
        del splits[split]
    return splits


def read_xml(path: Path) -> tuple[str, tuple[Box, ...]]:
    """WordNet id and boxes (xmin, ymin, xmax, ymax as written) of one CLS-LOC annotation."""
    try:
        tree = ElementTree.parse(path).getroot()
        objects = tree.findall("object")
        boxes = tuple(_box(found) for found in objects)
        names = {found.findtext("name") for found in objects}
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror})") from error
    except ElementTree.ParseError as error:
        raise UserError(f"{path}, line {error.position[0]}: is not well-formed XML") from error
    except (TypeError, ValueError) as error:
        raise UserError(f"{path} has an object without xmin, ymin, xmax and ymax in whole numbers") from error
    name, *others = names or {None}
    if others or name is None:
        raise UserError(f"{path} should have objects of one class but has {sorted(map(str, names)) or 'no object'}")
    if any(x1 < x0 or y1 < y0 for x0, y0, x1, y1 in boxes):
        raise UserError(f"{path} has an inverted box: fetch the validation boxes again")
    return name, boxes


def _box(found: ElementTree.Element) -> Box:
    sides = ("xmin", "ymin", "xmax", "ymax")
    x0, y0, x1, y1 = (int(found.findtext(f"bndbox/{side}", default="")) for side in sides)
    return x0, y0, x1, y1


def _read_annotations(root: Path) -> Annotations:
    for folder in ANNOTATION_FOLDERS:
        paths = files_of(root / folder, (".xml",))
        if paths:
            return {path.stem: read_xml(path) for path in paths}
    return {}


def _wnids(root: Path, annotations: Annotations) -> list[str]:
    """Sorted WordNet ids of all classes that the mapping file, the training folders or the annotations know."""
    mapping, train = root / "LOC_synset_mapping.txt", root / "train"
    known = {wnid for wnid, _ in annotations.values()}
    if mapping.is_file():
        known |= {line.split()[0] for line in read_lines(mapping)}
    return sorted(known | {folder.name for folder in class_folders(train)})


def _test_record(path: Path, targets: dict[str, int], annotations: Annotations) -> Record:
    if path.stem not in annotations:
        raise UserError(f"{path} has no annotation {path.stem}.xml: unpack all of the validation boxes")
    wnid, boxes = annotations[path.stem]
    width, height = size = read_size(path)
    cut = tuple((max(x0, 0), max(y0, 0), min(x1, width), min(y1, height)) for x0, y0, x1, y1 in boxes)
    return Record(f"val/{path.name}", targets[wnid], size=size, boxes=cut)


def _v2_records(root: Path, targets: Mapping[str, int], say: Callable[[str], None]) -> list[Record]:
    """Images of ``val2/<class index>/``, the index among all of ILSVRC's classes; of other classes than ours none.

    Where none of our classes is ILSVRC's the index is among ours.
    """
    found, others, wnids = [], 0, imagenet_wnids()
    if targets.keys().isdisjoint(wnids):
        wnids = list(targets)
    for folder in class_folders(root / "val2"):
        if not folder.name.isdecimal() or int(folder.name) > 999:
            raise UserError(f"{folder} should be named after a class index, 0 to 999")
        target = targets.get(wnids[int(folder.name)]) if int(folder.name) < len(wnids) else None
        if target is None:
            others += 1
            continue
        for path in files_of(folder):
            found.append(Record(f"val2/{folder.name}/{path.name}", target, size=read_size(path)))
    if others:
        say(f"val: {others} folders of {root / 'val2'} are left out, of classes that are not there")
    return found
