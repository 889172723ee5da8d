"""Published weights by name: python -m networks.zoo list | fetch NAME."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import errors
from atomic import write_text
from errors import UserError
from networks.download import Interrupted, download, sha256
from networks.zoo_entries import ENTRIES, Entry

NOTE_FILE = "source.json"
"""Beside every fetched file: where it came from, its size and sha256, and the recipe."""


def default_folder() -> Path:
    """Where fetched files are kept: $CALM_HOME, else ~/.cache/calm."""
    return Path(os.environ.get("CALM_HOME") or Path.home() / ".cache" / "calm")


def entry_named(name: str) -> Entry:
    """The entry of a name in any case, hyphens allowed."""
    names = {known.lower(): known for known in ENTRIES}
    known = names.get(name.strip().lower().replace("-", "_"))
    if known is None:
        raise UserError(f"zoo:{name} is unknown: choose {', '.join(ENTRIES)}")
    return ENTRIES[known]


def fetched_file(name: str, *, folder: Path | None = None) -> Path:
    """Path of an entry's file, which must have been fetched.

    Raises:
        UserError: unknown name, or not fetched yet.
    """
    entry = entry_named(name)
    path = (folder or default_folder()) / entry.name / entry.file_name
    if not path.is_file():
        raise UserError(f"zoo:{entry.name} is not at {path}; run python -m networks.zoo fetch {entry.name} first")
    return path


def fetch(name: str, *, folder: Path | None = None, address: str | None = None) -> Path:
    """Download an entry's file unless it is there already and whole; returns its path.

    Args:
        name: entry.
        folder: cache folder, ``default_folder()`` if None.
        address: another source of the same file.

    Raises:
        UserError: the file cannot be had, or is not the right one.
    """
    entry = entry_named(name)
    target = (folder or default_folder()) / entry.name / entry.file_name
    note = target.parent / NOTE_FILE
    if target.is_file():  # also a file that the user put there by hand
        digest = sha256(target)
        check_known_file(entry, target, note, digest)
    else:
        try:
            digest = download(
                address or entry.address, target, sha256_prefix=entry.sha256_prefix, size=entry.size, title=entry.name
            )
        except Interrupted as error:
            raise UserError(
                f"{entry.name} cannot be fetched from {address or entry.address} ({error}): try again, or fetch "
                f"{entry.page} in a browser and save it as {target}"
            ) from error
    content = {"source": address or entry.address, "size": target.stat().st_size, "sha256": digest}
    write_text(note, json.dumps(content | {"recipe": entry.recipe}, indent=1) + "\n")
    return target


def check_known_file(entry: Entry, target: Path, note: Path, digest: str) -> None:
    """Raise a ``UserError`` unless the hash is what is published, or what was recorded at the first fetch."""
    recorded = json.loads(note.read_text())["sha256"] if note.is_file() else ""
    if not digest.startswith(entry.sha256_prefix) or not digest.startswith(recorded):
        raise UserError(f"{target}: damaged or changed since it was fetched (sha256 {digest[:8]}...); delete it")


def commands(entry: Entry) -> list[str]:
    """What to run with the fetched file."""
    if not entry.is_checkpoint:
        use_bn = " --use_bn=True" if entry.recipe.get("use_bn") else ""
        return [
            f"python main.py --architecture={entry.recipe['architecture']}{use_bn} --pretrained_path=zoo:{entry.name}"
        ]
    flags = " ".join(
        f"--{flag}={entry.recipe[flag]}"
        for flag in ("architecture", "attribution_method", "dataset_name", "large_feature_map", "use_bn")
    )
    commands = [f"python main.py --is_train=False --load_checkpoint=zoo:{entry.name} {flags}"]
    if entry.recipe["dataset_name"] == "CUB":
        commands.append(f"python eval_cue_location.py --load_checkpoint=zoo:{entry.name} {flags}")
    return [*commands, f"python eval_pixel_perturb.py --load_checkpoint=zoo:{entry.name} {flags}"]


def print_list(folder: Path) -> None:
    """Every entry with recipe, published accuracy, source and whether it is here."""
    for entry in ENTRIES.values():
        here = "fetched" if (folder / entry.name / entry.file_name).is_file() else "not fetched"
        recipe = " ".join(f"--{flag}={value}" for flag, value in entry.recipe.items())
        print(f"{entry.name:<20}{entry.accuracy:6.2f} %  {entry.accuracy_source}; {here}")
        print(f"{'':<20}{recipe}\n{'':<20}{entry.page}")


def main(argv: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m networks.zoo", description=__doc__)
    parser.add_argument("--cache_dir", type=Path, help="folder of fetched files [$CALM_HOME, else ~/.cache/calm]")
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("list", help="names, recipes, published accuracies, sources")
    fetching = actions.add_parser("fetch", help="download one entry")
    fetching.add_argument("name")
    fetching.add_argument("--address", help="take the file from this address instead")
    args = parser.parse_args(argv)
    folder = args.cache_dir or default_folder()
    if args.action == "list":
        print_list(folder)
        return
    path = fetch(args.name, folder=folder, address=args.address)
    entry = entry_named(args.name)
    print(f"{entry.name}: {path} (sha256 {json.loads((path.parent / NOTE_FILE).read_text())['sha256']})")
    if args.cache_dir:
        print(f"set CALM_HOME={folder} for the scripts to find it")
    print(f"published accuracy: {entry.accuracy} % ({entry.accuracy_source}); to use it:")
    for command in commands(entry):
        print(f"  {command}")


if __name__ == "__main__":
    sys.exit(errors.run(main))
