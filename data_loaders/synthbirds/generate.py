"""SynthBirds: procedurally drawn fine-grained birds whose true cue is known.

    python -m data_loaders.synthbirds --data_root dataset --num_classes 12 --image_size 112 --seed 0

writes dataset/SynthBirds (CUB's layout, part_masks/ and val/) and metadata/SynthBirds. Described in
docs/synthbirds.md.
"""

import argparse
import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, get_type_hints

import yaml

from calm import errors
from calm.atomic import exclusive
from calm.data_loaders.catalogue.synthbirds import COMMAND, FOLDER, NAME
from calm.data_loaders.synthbirds import files
from calm.data_loaders.synthbirds.classes import MAX_CLASSES
from calm.data_loaders.synthbirds.files import Options
from calm.data_loaders.synthbirds.render import MIN_SIZE
from calm.errors import UserError

MARKER = "synthbirds.yaml"
FORMAT = 1  # raise it when the same options give other files
HELP = {
    "num_classes": f"classes, 2 to {MAX_CLASSES}",
    "image_size": f"side of the pictures in pixels, from {MIN_SIZE}",
    "seed": "seed of all pictures",
    "train_per_class": "training pictures of a class",
    "val_per_class": "validation pictures of a class",
    "test_per_class": "test pictures of a class",
    "interventions": "also draw every test bird with one part removed or given a sibling class's look",
}


def check(options: Options) -> None:
    """Raise a UserError for options that cannot be drawn."""
    if not 2 <= options.num_classes <= MAX_CLASSES:
        raise UserError(f"`num_classes`={options.num_classes}: SynthBirds has 2 to {MAX_CLASSES} classes")
    if options.image_size < MIN_SIZE:
        raise UserError(f"`image_size`={options.image_size}: below {MIN_SIZE} pixels the parts cannot be seen")
    if options.seed < 0:
        raise UserError(f"`seed`={options.seed}: choose 0 or more")
    for name in ("train_per_class", "val_per_class", "test_per_class"):
        if getattr(options, name) < 1:
            raise UserError(f"`{name}`={getattr(options, name)}: every split needs at least 1 picture of a class")


def _made_with(folder: Path) -> dict | None:
    """Options a folder was made with; None where there is no folder. A folder without our marker is refused."""
    if not folder.exists():
        return None
    marker = folder / MARKER
    if not marker.is_file():
        raise UserError(f"{folder} exists and was not made by SynthBirds (no {MARKER}): move it or choose another root")
    try:
        made = yaml.safe_load(marker.read_text(encoding="utf-8"))
    except yaml.YAMLError:
        made = None
    if not isinstance(made, dict):
        raise UserError(f"{marker} is damaged: remove {folder} to have it made again")
    return made


def unusual(folder: Path) -> dict[str, tuple[Any, Any]]:
    """Option -> what a SynthBirds was made with and its default, where these differ; none where there is no folder.

    Interventions do not count: with or without them the pictures are the same.
    """
    made, defaults = _made_with(folder) or {}, Options()._asdict()
    compared = (made.keys() & defaults.keys()) - {"interventions"}
    return {
        name: (made[name], defaults[name]) for name in defaults if name in compared and made[name] != defaults[name]
    }


def _folders(data_root: str | Path, metadata_root: str | Path) -> tuple[Path, Path]:
    return Path(data_root) / FOLDER, Path(metadata_root) / NAME


def ensure(data_root: str | Path, metadata_root: str | Path, *, workers: int = 0, **options) -> Path:
    """Generate SynthBirds where it is missing and keep it where it is there; returns its folder.

    Where only the pictures or only the metadata are missing, these are made to fit the others, which stay as they are.
    Options (fields of Options) that are not given are not compared, and have their defaults where it is generated.
    Raises UserError where what is there was made with other options, or by something else.
    """
    folders = _folders(data_root, metadata_root)
    check(Options(**options))
    if _missing(folders, options):
        with _drawing(folders[0]):
            if missing := _missing(folders, options):  # nobody drew them while this process waited
                found = next((made for made in map(_made_with, folders) if made), {})
                known = {name: value for name, value in found.items() if name in Options._fields}
                _write(folders, missing, Options(**(known | options)), workers)
    return folders[0]


def _drawing(folder: Path) -> AbstractContextManager[None]:
    """One process at a time draws into a data root; another waits for it, up to an hour."""
    return exclusive(folder.with_name(f".{NAME}.lock"), wait=3600)


def _missing(folders: Sequence[Path], options: Mapping[str, Any]) -> list[Path]:
    """Those of pictures and metadata that are not there; the others must have been made with ``options``."""
    made = [_made_with(folder) for folder in folders]
    for folder, found in zip(folders, made):
        if found is None:
            continue
        wanted = {"format": FORMAT, **options}
        for name, value in wanted.items():
            if found.get(name) != value and not (name == "interventions" and not value):
                raise UserError(
                    f"{folder} was made with {name} {found.get(name)}, not {value}: remove it, or make it "
                    f"again with {COMMAND} --overwrite"
                )
    if None not in made and made[0] != made[1]:
        raise UserError(f"{folders[0]} and {folders[1]} were made with different options: remove one of them")
    return [folder for folder, found in zip(folders, made) if found is None]


def generate(data_root: str | Path, metadata_root: str | Path, *, workers: int = 0, **options) -> Path:
    """Generate SynthBirds (options: fields of Options), replacing an older one; returns its folder.

    Written beside its place and renamed when complete. ``workers`` processes draw (0: this one alone); their number
    does not change the files. Raises UserError where a folder of that name is not a SynthBirds.
    """
    chosen = Options(**options)
    check(chosen)
    if workers < 0:
        raise UserError(f"`workers`={workers}: choose 0 or more")
    folders = _folders(data_root, metadata_root)
    with _drawing(folders[0]):
        for folder in folders:
            _made_with(folder)
        _write(folders, folders, chosen, workers)
    return folders[0]


def _write(folders: Sequence[Path], wanted: Sequence[Path], chosen: Options, workers: int) -> None:
    """Draw everything beside its place; then those of ``folders`` (pictures, metadata) that are ``wanted`` move in."""
    parts = [folder.with_name(f".{NAME}.{os.getpid()}") for folder in folders]
    try:
        for part in parts:
            part.mkdir(parents=True)
        drawn = files.write_pictures(parts[0], chosen, workers)
        files.write_annotations(parts[0], chosen, drawn)
        files.write_metadata(parts[1], chosen, drawn)
        description = yaml.safe_dump({"format": FORMAT, **chosen._asdict()}, sort_keys=False)
        for part, folder in zip(parts, folders):
            (part / MARKER).write_text(description, encoding="utf-8")
            if folder in wanted:
                if folder.exists():
                    shutil.rmtree(folder)
                part.rename(folder)
    finally:
        for part in parts:
            shutil.rmtree(part, ignore_errors=True)


def main(argv: list[str] | None = None) -> int:
    parser = errors.Parser(
        prog="python -m data_loaders.synthbirds",
        description=__doc__.splitlines()[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--data_root", default="dataset", help="SynthBirds/ is written here")
    parser.add_argument("--metadata_root", default="metadata", help="the metadata's SynthBirds/ is written here")
    for name, kind in get_type_hints(Options).items():
        default = Options._field_defaults[name]
        shape = {"action": "store_true"} if kind is bool else {"type": kind, "default": default}
        parser.add_argument(f"--{name}", help=HELP[name], **shape)
    parser.add_argument("--workers", type=int, default=0, help="processes that draw; 0 draws in this one")
    parser.add_argument("--overwrite", action="store_true", help="replace a SynthBirds made with other options")
    args = vars(parser.parse_args(argv))
    make = generate if args.pop("overwrite") else ensure
    folder = make(args.pop("data_root"), args.pop("metadata_root"), **args)
    print(f"SynthBirds is in {folder}")
    return 0
