"""SynthBirds: drawn birds in CUB's layout, with exact masks of every part. Drawn where they are missing."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from calm.data_loaders.catalogue.record import DataSet, MaskFiles, Say
from calm.data_loaders.classes import numbered_names
from calm.data_loaders.record import Record
from calm.data_loaders.supersets import together
from calm.errors import UserError

NAME = FOLDER = "SynthBirds"
COMMAND = "python -m calm synthbirds"


def _class_names(root: Path) -> list[str]:
    path = root / "classes.txt"
    if not path.is_file():
        raise UserError(f"{path} does not exist: draw the birds with {COMMAND}")
    return numbered_names(path)


def _masks(record: Record, data_root: Path, mask_root: Path) -> MaskFiles:
    """The bird's segmentation."""
    return ((data_root / FOLDER / "segmentations" / record.image_id).with_suffix(".png"),), None


def _ensure(data_root: str | Path, metadata_root: str | Path, say: Say) -> None:
    from calm.data_loaders.synthbirds.generate import ensure  # draws with OpenCV, which the catalogue does without

    for parameter, root in (("data_root", data_root), ("metadata_root", metadata_root)):
        if not (Path(root) / NAME).exists():
            say(f"notice: `{parameter}`={root} has no {NAME}: it is drawn there")
    ensure(data_root, metadata_root)


def _unusual(root: Path) -> str | None:
    from calm.data_loaders.synthbirds.generate import unusual

    found = unusual(root).items()
    return ", ".join(f"{name} {made} (default {default})" for name, (made, default) in found) or None


def _redraw(root: Path) -> Callable[[str], Any]:
    from calm.data_loaders.synthbirds.redraw import redrawer

    return redrawer(root)


def _families(num_classes: int) -> dict[int, list[int]]:
    from calm.data_loaders.synthbirds.classes import siblings

    return {target: sorted([target, *siblings(target, num_classes)]) for target in range(num_classes)}


SYNTHBIRDS = DataSet(
    name=NAME,
    folder=FOLDER,
    image_roots={"train": (f"{FOLDER}/images",), "val": (f"{FOLDER}/val",), "test": (f"{FOLDER}/images",)},
    read_class_names=_class_names,
    masks=_masks,
    has_parts=True,
    exact_parts=True,
    supersets=together,
    families=_families,
    ensure=_ensure,
    unusual=_unusual,
    redraw=_redraw,
    command=COMMAND,
)
