"""An image, the network's output for it, and the question asked: everything that figure, page and JSON draw from."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from calm.attribution import output_attribution
from calm.attribution.score_map import normalize
from calm.data_loaders.classes import display_name
from calm.explanation.cells import Cells
from calm.explanation.interactions import Interactions
from calm.explanation.kinds import MapKind, kinds_of, sentence
from calm.networks.outputs import Output
from calm.pictures.overlay import overlay


@dataclass(frozen=True)
class Question:
    """Why ``target``, why not ``versus``, and where are the cues of ``subset``: class indices."""

    target: int
    versus: int
    subset: tuple[int, ...]


@dataclass(frozen=True)
class Explanation:
    """One image explained."""

    image_id: str
    """The file's name."""
    picture: Image.Image
    """RGB, for people to look at; the network saw the whole of it at ``input_size``."""
    size: tuple[int, int]
    """Width and height of the file's image, pixels."""
    input_size: int
    output: Output
    """Of a batch of one, on the CPU."""
    class_names: Sequence[str]
    supersets: Mapping[int, Sequence[int]]
    """Class -> the classes that share its parts."""
    question: Question
    model: str
    """What made the output, in words."""
    layout: Callable[[], Cells] | None = None
    """Gives, when something is drawn, where the cells look; None: they are tiles over the picture."""
    interactions: Interactions | None = None
    """Which cells act together on the target, where that was asked for."""

    @cached_property
    def cells(self) -> Cells:
        """Where the cells are drawn."""
        return Cells.tiles(self.output.class_maps.shape[-1]) if self.layout is None else self.layout()

    @property
    def kinds(self) -> dict[str, MapKind]:
        """The maps this network has."""
        return kinds_of(self.output.has_prior)

    @cached_property
    def names(self) -> list[str]:
        """Class names as people read them."""
        return [display_name(name) for name in self.class_names]

    @cached_property
    def p_y(self) -> np.ndarray:
        """p(y|x), [K]."""
        return self.output.log_p_y[0].double().exp().numpy()

    @cached_property
    def ranking(self) -> np.ndarray:
        """Class indices, the most probable first, ties by index."""
        return np.argsort(-self.p_y, kind="stable")

    @cached_property
    def maps(self) -> dict[str, np.ndarray]:
        """Kind -> raw map [h,w] float32 in its own unit, for the question."""
        return {name: self._map(name) for name in self.kinds}

    @property
    def attribution(self) -> str:
        """The kind that is the method's attribution: the joint of CALM, the class map of CAM."""
        return next(iter(self.kinds))

    def _map(self, name: str) -> np.ndarray:
        kind, question = self.kinds[name], self.question
        options = {"supersets": {question.target: list(question.subset)}, "versus": question.versus}
        score = output_attribution(kind.attribution, **options)
        assert score is not None, f"{kind.attribution} needs more than the output"
        maps = score(self.output, torch.tensor([question.target]))
        if kind.minus_versus:
            maps = maps - score(self.output, torch.tensor([question.versus]))
        return maps[0].float().numpy()

    def overlay(self, name: str | None = None) -> Image.Image:
        """A map in colour over the picture, RGB: by default the method's attribution.

        The more opaque the higher; a signed map is red above zero and blue below, to the same extent on both sides.
        """
        name = name or self.attribution
        pixels, signed = np.asarray(self.picture), self.kinds[name].signed
        values = self.enlarged(name, pixels.shape[:2])
        scores = normalize(values.abs(), "max") * values.sign() if signed else normalize(values, "max")
        return Image.fromarray(overlay(pixels, scores[0].numpy(), signed=signed))

    def enlarged(self, name: str, size: tuple[int, int]) -> Tensor:
        """A map [1,H,W] of this size, every cell where it is drawn."""
        return self.cells.laid(torch.from_numpy(self.maps[name])[None], size)

    def peak(self, name: str) -> tuple[int, int]:
        """Row and column of the cell where the map is highest (the counterfactual: farthest from zero)."""
        values = np.abs(self.maps[name]) if self.kinds[name].signed else self.maps[name]
        row, column = np.unravel_index(int(values.argmax()), values.shape)
        return int(row), int(column)

    def sentence(self, name: str) -> str:
        """What the map says about its peak, in words."""
        return sentence(
            self.kinds[name],
            float(self.maps[name][self.peak(name)]),
            target=self.names[self.question.target],
            versus=self.names[self.question.versus],
            subset=[self.names[index] for index in self.question.subset],
            total=len(self.names),
        )

    def line(self) -> str:
        """The prediction with its probability, the runner-up, and where the attribution is highest, in one line."""
        ranked = "; then ".join(f"{self.names[k]}, p = {self.p_y[k]:.2f}" for k in self.ranking[:2])
        row, column = self.peak(self.attribution)
        height, width = self.maps[self.attribution].shape
        place = f"row {row + 1}, column {column + 1} of {height} x {width}"
        return f"{ranked}. At {place}: {self.sentence(self.attribution)}"

    def summary(self) -> dict[str, Any]:
        """The line of JSON: top-5 classes, p(y|x), the cell with the highest attribution and its share.

        ``share`` is p(z|x,y) of that cell, the part of p(y|x) that it holds; a CAM network has none (null).
        ``box`` is where the cell is drawn, in the file's pixels: x0, y0, x1, y1, the last two excluded.
        """
        question, values = self.question, self.maps[self.attribution]
        row, column = self.peak(self.attribution)
        (height, width), (full_width, full_height) = values.shape, self.size
        x0, y0, x1, y1 = self.cells.box(row, column)
        share = float(self.maps["posterior"][row, column]) if "posterior" in self.maps else None
        return {
            "image": self.image_id,
            "model": self.model,
            "predicted": self.class_names[int(self.ranking[0])],
            "top5": [
                {"class": int(index), "name": self.class_names[int(index)], "p": float(self.p_y[index])}
                for index in self.ranking[:5]
            ],
            "target": self.class_names[question.target],
            "versus": self.class_names[question.versus],
            "subset": [self.class_names[index] for index in question.subset],
            "p_y": float(self.p_y[question.target]),
            "peak": {
                "map": self.attribution,
                "row": row,
                "column": column,
                "grid": [height, width],
                "value": float(values[row, column]),
                "share": share,
                "box": [x0 * full_width, y0 * full_height, x1 * full_width, y1 * full_height],
            },
            "sentences": {name: self.sentence(name) for name in self.kinds},
        }
