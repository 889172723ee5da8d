"""Figures that matplotlib draws: our palettes as it takes them, and files. Importing it takes half a second."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rcParams
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.text import Text

from calm.atomic import replacing

METADATA = {".png": {"Software": None}, ".pdf": {"CreationDate": None}}
"""Suffix -> what matplotlib shall leave out, so that the same figure gives the same file."""


def colour_map(palette: np.ndarray) -> ListedColormap:
    """A table of ``palettes``, [N,3] uint8, for matplotlib."""
    return ListedColormap(palette / 255)


def as_written(figure: Figure) -> Figure:
    """The figure, its text to be drawn letter for letter: matplotlib takes ``$5 vs $6`` in a name for mathematics."""
    for text in figure.findobj(Text):
        text.set_parse_math(False)
    return figure


def save_figure(figure: Figure, path: str | Path, *, dpi: int = 110) -> None:
    """Write a figure atomically, its text as it is written and its margins cut; the suffix chooses the format.

    ``bbox_inches="tight"`` draws a figure twice, the first time to find its margins, which only a layout engine, or
    another format's own letters, need.
    """
    as_written(figure).set_dpi(dpi)
    with replacing(path) as temporary:
        box: Any = "tight"
        if temporary.suffix == ".png" and figure.get_layout_engine() is None:
            box = figure.get_tightbbox().padded(rcParams["savefig.pad_inches"])
        figure.savefig(temporary, dpi=dpi, bbox_inches=box, metadata=METADATA.get(temporary.suffix))
