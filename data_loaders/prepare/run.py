"""Build the metadata text files from a data set's own files: python -m data_loaders.prepare CUB --data_root dataset."""

from collections.abc import Callable, Sequence
from pathlib import Path

from calm import errors
from calm.data_loaders.catalogue import DATASETS, dataset_named
from calm.data_loaders.metadata import LOCALIZATION, split_folder, write_records
from calm.errors import UserError


def prepare(dataset_name: str, *, data_root: str | Path, metadata_root: str | Path, say: Callable[[str], None]) -> None:
    """Write ``<metadata_root>/<data set>/<split>/`` for every split that the data set's files give.

    Lists with locations are kept where these files would give none: only the published lists have the boxes of CUBV2
    and ImageNetV2.
    """
    data_set = dataset_named(dataset_name)
    if data_set.prepare is None:
        if data_set.ensure is None or data_set.command is not None:
            raise UserError(f"{data_set.name} comes with its metadata: run {data_set.made_by}")
        data_set.ensure(_folder(data_root), metadata_root, say)
        return
    for split, records in data_set.prepare(_folder(data_root), say).items():
        localization = split_folder(metadata_root, data_set.name, split) / LOCALIZATION
        has_locations = any(record.boxes or record.masks for record in records)
        if not has_locations and localization.is_file() and localization.stat().st_size:
            say(f"{split}: kept {localization.parent}, whose locations are not in the data set's own files")
            continue
        folder = write_records(metadata_root, data_set.name, split, records)
        classes = len({record.target for record in records})
        say(f"{split}: {len(records):,} images of {classes:,} classes -> {folder}")


def _folder(data_root: str | Path) -> Path:
    if not Path(data_root).is_dir():
        raise UserError(f"`data_root`={data_root} is not a folder")
    return Path(data_root)


def main(argv: Sequence[str] | None = None) -> None:
    """Parse the command line and prepare one data set."""
    parser = errors.Parser(prog="python -m data_loaders.prepare", description=__doc__)
    prepared = [name for name, data_set in DATASETS.items() if data_set.prepare]
    parser.add_argument("dataset_name", help=f"one of {', '.join(prepared)}; or folder, whose photos/ is --data_root")
    parser.add_argument("--data_root", default="dataset/", help="folder that holds the data set's folder [dataset/]")
    parser.add_argument("--metadata_root", default="metadata/", help="folder to write to [metadata/]")
    args = parser.parse_args(argv)
    prepare(args.dataset_name, data_root=args.data_root, metadata_root=args.metadata_root, say=print)
