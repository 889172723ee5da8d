"""The files of explained images: figure, maps and page of each, a line of JSON, and a gallery of several."""

import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from calm.atomic import replacing, write_bytes, write_text
from calm.data_loaders.classes import LONGEST
from calm.data_loaders.images import as_text
from calm.errors import UserError
from calm.explanation import gallery
from calm.explanation.explainer import Explainer
from calm.explanation.figure import as_png, explain_figure
from calm.explanation.labels import is_right, label_of
from calm.explanation.maps import Explanation
from calm.explanation.page import render
from calm.explanation.questions import Ask


class Listing:
    """The list of what was explained so far, explanations.jsonl, and the gallery, where there are several images.

    It is on the disk after every image, unless writing takes more than a tenth of the time: a gallery of thousands
    is written less often, and at the end.
    """

    def __init__(self, out: Path, model: str, *, several: bool) -> None:
        self.out, self.model, self.several = out, model, several
        self.lines: list[str] = []
        self.cards: list[gallery.Card] = []
        self._due = 0.0

    def add(self, explanation: Explanation, line: Mapping[str, Any]) -> None:
        """Take an image in whose files are written."""
        self.lines.append(json.dumps(line, ensure_ascii=False))
        if self.several:
            self.cards.append(gallery.card(explanation, line["files"]["page"], label=line["label"]))
        if time.monotonic() >= self._due:
            self.write()

    def write(self) -> None:
        """Put it on the disk."""
        start = time.monotonic()
        write_text(self.out / "explanations.jsonl", "\n".join(self.lines) + "\n")
        if self.several:
            write_text(self.out / "index.html", gallery.render(self.cards, self.model))
        self._due = time.monotonic() + 9 * (time.monotonic() - start)


def explain_files(explainer: Explainer, paths: Sequence[Path], ask: Ask, out: Path) -> None:
    """Explain image files and write what is found into ``out``; an image that cannot be read is left out of several.

    Raises:
        UserError: an image could not be explained; what could be is written.
    """
    several = len(paths) > 1
    listing, unreadable = Listing(out, explainer.model, several=several), 0
    try:
        for path, name in zip(paths, gallery.page_names(paths), strict=True):
            try:
                explanation = explainer(path, ask)
            except UserError as error:
                if not several:
                    raise
                print(f"left out: {error}", file=sys.stderr)
                unreadable += 1
                continue
            page, label = f"{name}.html" if several else "index.html", label_of(path, explainer.class_names)
            line = write(explanation, path, out, name, page=page, in_gallery=several)
            listing.add(explanation, line | {"label": label, "correct": is_right(explanation, label)})
            wrong = "" if is_right(explanation, label) is not False else f" Wrong: its folder says {label}."
            print(f"{as_text(path)}: {explanation.line()}{wrong}", flush=True)
    finally:  # whatever ended it, the page has what was explained
        if listing.lines:
            listing.write()
    if unreadable == len(paths):
        raise UserError(f"none of the {unreadable} images could be explained, nothing was written")
    print(f"page: {as_text(out / 'index.html')}")
    if unreadable:
        raise UserError(f"{unreadable} of {len(paths)} images could not be explained, see above; the page has the rest")


def write(explanation: Explanation, path: Path, out: Path, name: str, *, page: str, in_gallery: bool) -> dict[str, Any]:
    """Write one image's figure, maps and page; returns its line of JSON."""
    write_bytes(out / f"{name}.png", as_png(explain_figure(explanation)))
    question = explanation.question
    arrays: dict[str, Any] = {
        **explanation.maps,
        "p_y": explanation.p_y.astype(np.float32),
        "target": question.target,
        "versus": question.versus,
        "subset_classes": np.array(question.subset),
        "class_names": np.array([name[:LONGEST] for name in explanation.class_names]),
    }
    with replacing(out / f"{name}.npz") as temporary:
        np.savez_compressed(temporary, **arrays)
    write_text(out / page, render(explanation, gallery="index.html" if in_gallery else None))
    files = {"figure": f"{name}.png", "maps": f"{name}.npz", "page": page}
    return explanation.summary() | {"image": as_text(path), "files": files}
