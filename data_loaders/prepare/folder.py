"""A user's own photographs -> metadata: which image is in which split, kept from run to run, and the boxes there are.

``<metadata_root>/folder/<name>-<digest of the place>/`` holds ``split.csv`` (path,class,split: the record of the
split, written once), ``source.txt`` (where the photographs are) and the text files of each split, which are made from
it, the images that are there and ``boxes.csv``. No image is opened, copied or renamed.
"""

from pathlib import Path

from calm.atomic import write_text
from calm.data_loaders.catalogue.folder import BOXES, OWN_FOLDER
from calm.data_loaders.catalogue.record import Say
from calm.data_loaders.images import as_text
from calm.data_loaders.metadata import read_records, split_folder, write_records
from calm.data_loaders.prepare.folder_images import check_masks, read_boxes, scan
from calm.data_loaders.prepare.folder_split import SPLIT_FILE, divide, kept_split, read_split, say_split, write_split
from calm.data_loaders.record import SPLITS, Record
from calm.errors import UserError

SOURCE_FILE = "source.txt"


def ensure(data_root: str | Path, metadata_root: str | Path, say: Say = print) -> Path:
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
    check_masks(root, found.images)
    if (folder / SPLIT_FILE).is_file():
        recorded = read_split(folder / SPLIT_FILE)
        splits = kept_split(root, folder, found, recorded, say)
    else:
        splits = divide(found)
        say_split(root, folder, found, splits, say)
        write_text(folder / SOURCE_FILE, f"{as_text(root.resolve())}\n")
        write_split(folder / SPLIT_FILE, {path: (found.images[path].class_name, splits[path]) for path in splits})
    classes = sorted({place.class_name for place in found.images.values()})
    new_boxes = 0
    for split in SPLITS:
        listed = [path for path in found.images if splits.get(path) == split]
        records = [
            Record(path, classes.index(found.images[path].class_name), boxes=tuple(boxes.get(path, ())))
            for path in listed
        ]
        if not records:
            raise UserError(f"{root} has no image for {split}: add photographs, or a folder {split}/")
        written = _written(metadata_root, lists, split)
        if written != records:
            write_records(metadata_root, lists, split, records)
            before = {record.image_id: record.boxes for record in written}
            new_boxes += sum(record.boxes != before.get(record.image_id, record.boxes) for record in records)
    if new_boxes:
        say(f"notice: {root / BOXES} has other boxes than before for {new_boxes:,} images; they are taken")
    return folder


def _written(metadata_root: str | Path, lists: str, split: str) -> list[Record]:
    """What the lists of a split say already; none where they are missing or damaged."""
    if not split_folder(metadata_root, lists, split).is_dir():
        return []
    try:
        return list(read_records(metadata_root, lists, split))
    except UserError:
        return []
