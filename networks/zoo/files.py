"""The folder of fetched weights: find an entry's file there, or fetch it."""

import json
import os
from functools import partial
from pathlib import Path
from typing import Any

from calm.atomic import sha256, write_text
from calm.errors import UserError
from calm.networks.zoo.download import Interrupted, download
from calm.networks.zoo.entries import ENTRIES, Entry

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
        raise UserError(f"zoo:{entry.name} is not at {path}; run python -m calm zoo fetch {entry.name} first")
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
        check_known_file(entry, target, digest)
        if not note.is_file():
            check_network(entry, target)
    else:
        try:
            digest = download(
                address or entry.address,
                target,
                sha256_prefix=entry.sha256_prefix,
                size=entry.size,
                title=entry.name,
                check=partial(check_network, entry),
            )
        except Interrupted as error:
            raise UserError(
                f"{entry.name} cannot be fetched from {address or entry.address} ({error}): try again, or fetch "
                f"{entry.page} in a browser and save it as {target}"
            ) from error
    content = {"source": address or entry.address, "size": target.stat().st_size, "sha256": digest}
    write_text(note, json.dumps(content | {"recipe": entry.recipe}, indent=1) + "\n")
    return target


def check_network(entry: Entry, path: Path) -> None:
    """Open a file that came for a checkpoint and compare its tensors' names and shapes with the network it should be.

    The hashes of the published checkpoints are not known, so this is what tells them from anything else.

    Raises:
        UserError: it is no checkpoint, or one of another network.
    """
    if not entry.is_checkpoint or entry.num_classes is None:
        return
    from calm.networks.checkpoint import check_is_network  # torch, which a list of the zoo does without

    check_is_network(path, entry.recipe, entry.num_classes)


def read_note(folder: Path) -> dict[str, Any]:
    """The note in a folder of a fetched file; empty where there is none."""
    note = folder / NOTE_FILE
    try:
        content = json.loads(note.read_text(encoding="utf-8")) if note.is_file() else {}
    except ValueError as error:
        raise UserError(f"{note}: damaged, not JSON; delete it and fetch again") from error
    if not isinstance(content, dict) or not isinstance(content.get("recipe", {}), dict):
        raise UserError(f"{note}: is not the note of a file that was fetched; move it away")
    return content


def check_known_file(entry: Entry, target: Path, digest: str) -> None:
    """Raise a ``UserError`` unless the hash is what is published, or what was recorded at the first fetch."""
    recorded = read_note(target.parent).get("sha256", "")
    if not digest.startswith(entry.sha256_prefix) or not digest.startswith(recorded):
        raise UserError(f"{target}: damaged or changed since it was fetched (sha256 {digest[:8]}...); delete it")
