"""Build the metadata text files from a data set's own files: python -m data_loaders.prepare CUB --data_root dataset."""

from collections.abc import Callable, Sequence
from pathlib import Path

from calm import errors
from calm.data_loaders.classes import canonical_dataset
from calm.data_loaders.metadata import LOCALIZATION, Record, split_folder, write_records
from calm.data_loaders.prepare import cub as prepare_cub
from calm.data_loaders.prepare import ilsvrc as prepare_ilsvrc
from calm.data_loaders.prepare import openimages as prepare_openimages
from calm.data_loaders.prepare import tiny_imagenet as prepare_tiny_imagenet
from calm.errors import UserError

PREPARERS: dict[str, Callable[[Path, Callable[[str], None]], dict[str, list[Record]]]] = {
    "CUB": prepare_cub.records,
    "ILSVRC": prepare_ilsvrc.records,
    "OpenImages": prepare_openimages.records,
    "TinyImageNet": prepare_tiny_imagenet.records,
}
"""Data set -> function of (data_root, say) that gives the records of each split it finds."""


def prepare(dataset_name: str, *, data_root: str | Path, metadata_root: str | Path, say: Callable[[str], None]) -> None:
    """Write ``<metadata_root>/<data set>/<split>/`` for every split that the data set's files give.

    Lists with locations are kept where these files would give none: only the published lists have the boxes of CUBV2
    and ImageNetV2.
    """
    name = canonical_dataset(dataset_name)
    if name not in PREPARERS:
        raise UserError(f"{name} comes with its metadata: run python -m data_loaders.synthbirds")
    if not Path(data_root).is_dir():
        raise UserError(f"--data_root={data_root} is not a folder")
    for split, records in PREPARERS[name](Path(data_root), say).items():
        localization = split_folder(metadata_root, name, split) / LOCALIZATION
        has_locations = any(record.boxes or record.masks for record in records)
        if not has_locations and localization.is_file() and localization.stat().st_size:
            say(f"{split}: kept {localization.parent}, whose locations are not in the data set's own files")
            continue
        folder = write_records(metadata_root, name, split, records)
        classes = len({record.target for record in records})
        say(f"{split}: {len(records):,} images of {classes:,} classes -> {folder}")


def main(argv: Sequence[str] | None = None) -> None:
    """Parse the command line and prepare one data set."""
    parser = errors.Parser(prog="python -m data_loaders.prepare", description=__doc__)
    parser.add_argument("dataset_name", help=f"one of {', '.join(PREPARERS)}")
    parser.add_argument("--data_root", default="dataset/", help="folder that holds the data set's folder")
    parser.add_argument("--metadata_root", default="metadata/", help="folder to write to")
    args = parser.parse_args(argv)
    prepare(args.dataset_name, data_root=args.data_root, metadata_root=args.metadata_root, say=print)
