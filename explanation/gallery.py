"""The page that lists several explained images: picture and attribution, class, probability, a link to each page."""

import base64
import html
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import numpy as np
from PIL import Image

from calm.attribution.score_map import normalize
from calm.data_loaders.images import as_text
from calm.explanation.maps import Explanation
from calm.explanation.page import ASSETS, fill
from calm.pictures.overlay import overlay

THUMBNAIL_SIDE = 176
LONGEST_STEM = 200


class Card(NamedTuple):
    """What the gallery keeps of one explanation, a few kilobytes."""

    page: str
    """Relative link."""
    image_id: str
    target: str
    p_y: float
    predicted: str
    label: str | None
    """The true class, where it is known."""
    sentence: str
    picture: str
    """Data URI of the picture."""
    attribution: str
    """Data URI of the picture with the attribution over it."""


def _thumbnail(pixels: np.ndarray) -> str:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=82)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def card(explanation: Explanation, page: str, *, label: str | None = None) -> Card:
    """Reduce an explanation to its card.

    Args:
        explanation: of the image.
        page: name of its page's file, beside the gallery.
        label: the true class, as people read it, where it is known.
    """
    small = explanation.picture.copy()
    small.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE), Image.Resampling.LANCZOS)
    pixels, target = np.asarray(small), explanation.question.target
    scores = normalize(explanation.enlarged(explanation.attribution, pixels.shape[:2]), "max")[0].numpy()
    return Card(
        page=link_to(page),
        image_id=explanation.image_id,
        target=explanation.names[target],
        p_y=float(explanation.p_y[target]),
        predicted=explanation.names[int(explanation.ranking[0])],
        label=label,
        sentence=explanation.sentence(explanation.attribution),
        picture=_thumbnail(pixels),
        attribution=_thumbnail(overlay(pixels, scores)),
    )


def render(cards: Sequence[Card], model: str) -> str:
    """The gallery as HTML; it links to the pages beside it and needs no network."""
    return fill(
        "gallery.html",
        model=html.escape(model),
        count=str(len(cards)),
        style="\n".join((ASSETS / name).read_text(encoding="utf-8") for name in ("colors.css", "gallery.css")),
        script=(ASSETS / "gallery.js").read_text(encoding="utf-8"),
        payload=json.dumps([item._asdict() for item in cards], ensure_ascii=False).replace("<", "\\u003c"),
    )


def page_names(paths: Sequence[Path]) -> list[str]:
    """A file name, without suffix, for each image's results: its stem, numbered where stems repeat, cut where long."""
    names: dict[str, None] = {}
    numbers: dict[str, int] = {}
    for path in paths:
        stem = "index_image" if path.stem == "index" else shortened(path.stem)
        name = stem
        while name in names:
            numbers[stem] = numbers.get(stem, 1) + 1
            name = f"{stem}_{numbers[stem]}"
        names[name] = None
    return list(names)


def shortened(stem: str) -> str:
    """A stem as UTF-8 text of at most ``LONGEST_STEM`` bytes, so that a suffix and a number fit behind it."""
    return as_text(stem).encode("utf-8")[:LONGEST_STEM].decode("utf-8", "ignore")


def link_to(name: str) -> str:
    """A file beside the page as a relative link: "c?x=1.html" -> "c%3Fx%3D1.html"."""
    return quote(name, safe="")
