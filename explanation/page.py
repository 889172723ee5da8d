"""One self-contained HTML file per image, in which every map of every class can be drawn."""

import base64
import html
import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from calm.explanation.encode import (
    EXACT_CELLS,
    STATED_BOUND,
    Codes,
    Exact,
    encode_conditional,
    encode_scores,
    largest_deviation,
    log2_conditional,
)
from calm.explanation.interactions import Interactions
from calm.explanation.maps import Explanation
from calm.networks.outputs import states_prior
from calm.pictures.palettes import DIVERGING, SEQUENTIAL

ASSETS = Path(__file__).resolve().parent / "assets"
STYLES = ("colors.css", "page.css")
SCRIPTS = ("model.js", "paint.js", "words.js", "classes.js", "partners.js", "cells.js", "page.js")
KIND_PARTS = ("title", "formula", "sentence", "unit", "signed")
"""What the scripts read of a kind of map."""
PICTURE_SIDE = 640
"""Longest side of a page's picture, pixels: the page of 1000 classes on a 28x28 grid stays under 3 MB."""


def fill(template: str, **parts: str) -> str:
    """A template of the assets with its {{words}} replaced; what replaces them is not searched again."""
    text = (ASSETS / template).read_text(encoding="utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], text)


def base64_of(content: bytes) -> str:
    """Bytes -> base64 text."""
    return base64.b64encode(content).decode("ascii")


def jpeg_uri(picture: Image.Image, side: int, quality: int = 88) -> str:
    """A data URI of the picture, its longest side at most ``side`` pixels."""
    small = picture.copy()
    small.thumbnail((side, side), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=quality)
    return "data:image/jpeg;base64," + base64_of(buffer.getvalue())


def encode(explanation: Explanation) -> tuple[Exact | Codes, np.ndarray | None, float]:
    """The table of every class (p(y|x,z), or CAM's scores), p(z|x) [h*w] float32 or None, and the largest deviation."""
    output = explanation.output
    if not states_prior(output):
        true = output.class_maps[0].flatten(1).double().numpy()
        table = Exact(true.astype(np.float32)) if true.size <= EXACT_CELLS else encode_scores(true)
        return table, None, largest_deviation(table, true, np.ones(true.shape[1]))
    prior = output.log_p_z_given_x[0, 0].flatten().float().exp().numpy()
    log2_p, weights = log2_conditional(output.class_logits[0].flatten(1).double().numpy()), prior.astype(np.float64)
    true = np.exp2(log2_p)
    table = Exact(true.astype(np.float32)) if true.size <= EXACT_CELLS else encode_conditional(log2_p, weights)
    return table, prior, largest_deviation(table, true, weights)


def _packed(table: Exact | Codes) -> dict[str, Any]:
    """The table as the page's scripts read it."""
    if isinstance(table, Exact):
        return {"values": base64_of(table.values.astype("<f4").tobytes())}
    codes = base64_of(table.codes.astype("<u2").tobytes())
    return {
        "codes": codes,
        "low": table.low.tolist(),
        "step": table.step.tolist(),
        "logarithmic": table.logarithmic,
    }


def _interactions(found: Interactions | None) -> dict[str, Any] | None:
    """The interactions as the page's scripts read them."""
    if found is None:
        return None
    return {"target": found.target, "codes": base64_of(found.codes().astype("<u2").tobytes())}


def _groups(explanation: Explanation) -> dict[str, Any]:
    """Supersets, each list of classes written once."""
    groups: dict[tuple[int, ...], int] = {}
    group_of = [
        groups.setdefault(tuple(explanation.supersets.get(index, [index])), len(groups))
        for index in range(len(explanation.class_names))
    ]
    return {"groups": [list(group) for group in groups], "group_of": group_of}


def payload(explanation: Explanation, table: Exact | Codes, prior: np.ndarray | None) -> dict[str, Any]:
    """What the page's scripts read."""
    question = explanation.question
    return {
        "grid": list(next(iter(explanation.maps.values())).shape),
        "cells": list(explanation.cells),
        "names": explanation.names,
        "p": [float(f"{p:.9g}") for p in explanation.p_y],
        "table": _packed(table),
        "prior": None if prior is None else base64_of(prior.astype("<f4").tobytes()),
        "kinds": {name: {part: getattr(kind, part) for part in KIND_PARTS} for name, kind in explanation.kinds.items()},
        "question": {"target": question.target, "versus": question.versus, "subset": list(question.subset)},
        "supersets": _groups(explanation),
        "interactions": _interactions(explanation.interactions),
        "palettes": {
            "sequential": base64_of(SEQUENTIAL.tobytes()),
            "diverging": base64_of(DIVERGING.tobytes()),
        },
    }


def _accuracy(explanation: Explanation, table: Exact | Codes, deviation: float) -> str:
    height, width = next(iter(explanation.maps.values())).shape
    size, (full_width, full_height) = explanation.input_size, explanation.size
    held = "in single precision"
    drawn = "drawn as tiles over the picture"
    if explanation.layout is not None:
        drawn = "each drawn about the middle of the pixels that it sees"
    if isinstance(table, Codes):
        held = (
            f"to within 1/{int(1 / max(deviation, 1e-9)):,} of each map’s maximum, a counterfactual to within that "
            "share of its two maps’ maxima together (measured when it was written)"
        )
    return (
        f"The network saw the whole picture ({full_width} × {full_height}) at {size} × {size} pixels and answered on a "
        f"grid of {height} × {width} cells, {drawn}. This page holds its maps {held}."
    )


def render(explanation: Explanation, *, gallery: str | None = None) -> str:
    """The page.

    Args:
        explanation: what it shows first; everything else is derived in the browser.
        gallery: a relative link to the page that lists this one, if there is one.

    Raises:
        ArithmeticError: the stored table deviates from the network's maps by more than ``STATED_BOUND``.
    """
    table, prior, deviation = encode(explanation)
    if not deviation <= STATED_BOUND:
        raise ArithmeticError(f"{explanation.image_id}: the page's maps would be off by {deviation:.2g} of their peak")
    content = json.dumps(payload(explanation, table, prior), ensure_ascii=False, separators=(",", ":"))
    width, height = explanation.size
    image = html.escape(explanation.image_id)
    parts = {
        "title": f"{image} · where was the cue?",
        "image": image,
        "model": html.escape(explanation.model),
        "gallery": f'<a href="{html.escape(gallery)}">all images</a>' if gallery else "",
        "head": "cam" if prior is None else "calm",
        "ratio": f"{min(max(width / height, 0.4), 2.5):.5f}",
        "picture": jpeg_uri(explanation.picture, PICTURE_SIDE),
        "top": "Highest class scores here" if prior is None else "If the cue was here: p(y | x, z)",
        "count": str(len(explanation.names)),
        "kinds": str(len(explanation.kinds)),
        "accuracy": _accuracy(explanation, table, deviation),
        "payload": content.replace("<", "\\u003c"),
        "style": "\n".join((ASSETS / name).read_text(encoding="utf-8") for name in STYLES),
        "script": "\n".join((ASSETS / name).read_text(encoding="utf-8") for name in SCRIPTS),
    }
    return fill("page.html", **parts)
