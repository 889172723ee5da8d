"""The files of explained images: figure, maps and page of each, a line of JSON, and a gallery of several."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from calm.atomic import replacing, write_text
from calm.errors import UserError
from calm.explanation import gallery
from calm.explanation.explainer import Explainer
from calm.explanation.figure import explain_figure
from calm.explanation.maps import Explanation
from calm.explanation.page import render
from calm.explanation.questions import Ask
from calm.pictures import save_figure


def explain_files(explainer: Explainer, paths: Sequence[Path], ask: Ask, out: Path) -> None:
    """Explain image files and write what is found into ``out``; an image that cannot be read is left out of several.

    Raises:
        UserError: an image could not be explained; what could be is written.
    """
    several = len(paths) > 1
    lines, cards, unreadable = [], [], 0
    for path, name in zip(paths, gallery.page_names(paths), strict=True):
        try:
            explanation = explainer(path, ask)
        except UserError as error:
            if not several:
                raise
            print(f"left out: {error}", file=sys.stderr)
            unreadable += 1
            continue
        page = f"{name}.html" if several else "index.html"
        line = write(explanation, path, out, name, page=page, in_gallery=several)
        lines.append(json.dumps(line, ensure_ascii=False))
        print(f"{path}: {explanation.sentence(explanation.attribution)}", flush=True)
        if several:
            cards.append(gallery.card(explanation, page))
    if unreadable == len(paths):
        raise UserError(f"none of the {unreadable} images could be explained, nothing was written")
    write_text(out / "explanations.jsonl", "\n".join(lines) + "\n")
    if several:
        write_text(out / "index.html", gallery.render(cards, explainer.model))
    print(f"page: {out / 'index.html'}")
    if unreadable:
        raise UserError(f"{unreadable} of {len(paths)} images could not be explained, see above; the page has the rest")


def write(explanation: Explanation, path: Path, out: Path, name: str, *, page: str, in_gallery: bool) -> dict[str, Any]:
    """Write one image's figure, maps and page; returns its line of JSON."""
    save_figure(explain_figure(explanation), out / f"{name}.png", dpi=130)
    question = explanation.question
    arrays: dict[str, Any] = {
        **explanation.maps,
        "p_y": explanation.p_y.astype(np.float32),
        "target": question.target,
        "versus": question.versus,
        "subset_classes": np.array(question.subset),
        "class_names": np.array(explanation.class_names),
    }
    with replacing(out / f"{name}.npz") as temporary:
        np.savez_compressed(temporary, **arrays)
    write_text(out / page, render(explanation, gallery="index.html" if in_gallery else None))
    files = {"figure": f"{name}.png", "maps": f"{name}.npz", "page": page}
    return explanation.summary() | {"image": str(path), "files": files}
