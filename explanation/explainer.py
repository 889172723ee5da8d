"""A network that explains images."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from calm.attribution.class_score import evaluating
from calm.data_loaders.catalogue import dataset_named
from calm.data_loaders.transforms import to_tensor
from calm.errors import UserError
from calm.explanation.cells import Cells
from calm.explanation.image_files import Photograph, open_image
from calm.explanation.interactions import Interactions, interactions_of, takes_little
from calm.explanation.maps import Explanation, Question
from calm.explanation.questions import Ask
from calm.networks.network import Network
from calm.networks.outputs import NotFinite, Output
from calm.networks.shared_features import features_shared

PRIORS = {"softplus": "softplus", "relu": "ReLU"}
"""Activation of the prior -> as people write it."""


def method_in_words(network: Network, prior_activation: str) -> str:
    """Such as "CALM_EM, ReLU prior", or the method alone where the network has no prior."""
    return f"{network.method}, {PRIORS[prior_activation]} prior" if network.head.uses_prior else network.method


@dataclass(frozen=True)
class Explainer:
    """Images -> ``Explanation`` of each."""

    network: Network
    """In any mode; it explains in evaluation mode, and is left as it was."""
    input_size: int
    """Side of the network's input, pixels."""
    class_names: Sequence[str]
    supersets: Mapping[int, Sequence[int]]
    model: str
    """What it is, in words."""
    resize_alignment: str = "receptive_field"
    """Maps are drawn with every cell where the network looks, or "grid": as tiles over the picture."""
    interactions: str = "off"
    """Whether pages tell which cells act together: "off", "on", or "auto": where that takes little time. Networks with
    a prior alone have pairs that differ."""

    @cached_property
    def cells(self) -> Cells:
        """Where the cells of the network's maps look."""
        return Cells.of(self.network, self.input_size)

    def places(self, count: int) -> Cells:
        """Where the cells of a map of ``count`` cells a side are drawn."""
        return Cells.tiles(count) if self.resize_alignment == "grid" else self.cells

    def __call__(self, path: str | Path, ask: Ask | None = None) -> Explanation:
        """Explain one file, with one forward pass.

        Args:
            path: an image.
            ask: what to explain; by default the predicted class, against the runner-up.
        """
        photograph = open_image(Path(path), self.input_size)
        return self.explain([photograph], [ask or Ask()])[0]

    def explain(
        self, photographs: Sequence[Photograph], asks: Sequence[Ask], *, images: Tensor | None = None
    ) -> list[Explanation]:
        """Explain several images with one forward pass.

        Args:
            photographs: B of them.
            asks: what to explain of each.
            images: [B,3,S,S], what the network sees, of any side S; by default the photographs' views, normalised for
                it.
        """
        if images is None:
            mean, std = self.network.mean, self.network.std
            images = torch.stack([to_tensor(photograph.view, mean, std) for photograph in photographs])
        images = images.to(next(self.network.parameters()).device)
        with evaluating(self.network), features_shared():
            try:
                with torch.no_grad():
                    outputs = self.network(images)
            except NotFinite as error:
                raise error.named(lambda position: photographs[position].name) from None
            outputs = type(outputs)(*(part.float().cpu() for part in outputs))
            rankings = outputs.log_p_y.double().sort(dim=1, descending=True, stable=True).indices.tolist()
            questions = [ask.of(ranking, self.supersets) for ask, ranking in zip(asks, rankings, strict=True)]
            tables = self._interactions(outputs, images, [question.target for question in questions])
        alone = (type(outputs)(*parts) for parts in zip(*(part.split(1) for part in outputs)))
        return [
            self._explanation(photograph, question, output, table, images.shape[-1])
            for photograph, question, output, table in zip(photographs, questions, alone, tables, strict=True)
        ]

    def _explanation(
        self, photograph: Photograph, question: Question, output: Output, table: Interactions | None, side: int
    ) -> Explanation:
        return Explanation(
            image_id=photograph.name,
            picture=photograph.picture,
            size=photograph.size,
            input_size=side,
            output=output,
            class_names=self.class_names,
            supersets=self.supersets,
            question=question,
            model=self.model,
            layout=None if self.resize_alignment == "grid" else lambda: Cells.of(self.network, side),
            interactions=table,
        )

    def _interactions(self, outputs: Output, images: Tensor, targets: Sequence[int]) -> Sequence[Interactions | None]:
        wanted = outputs.has_prior and self.interactions != "off"
        if wanted and self.interactions == "auto":
            wanted = takes_little(self.network, outputs.class_maps.shape[-1])
        return interactions_of(self.network, images, targets) if wanted else [None] * len(targets)


def explainer_of(
    network: Network,
    flags: Mapping[str, Any],
    class_names: Sequence[str] | None,
    *,
    source: str,
    say: Callable[[str], object],
    need_supersets: bool = False,
) -> Explainer:
    """What explains with a network out of a checkpoint.

    Args:
        network: in evaluation mode.
        flags: of its run, as the checkpoint states them, and ``data_root``.
        class_names: as the checkpoint states them; None: from the data set.
        source: the checkpoint, for errors.
        say: takes a notice, where the data set's own files, which tell its supersets, are away.
        need_supersets: that is an error instead.
    """
    data_set = dataset_named(flags["dataset_name"])
    names = list(class_names or data_set.class_names(flags["data_root"]))
    if len(names) != network.num_classes:
        raise UserError(f"{source}: has {network.num_classes} classes, but {len(names)} class names are known")
    try:
        supersets = data_set.supersets(network.num_classes, flags["data_root"])
    except UserError as error:
        if need_supersets:
            raise
        say(f"notice: {error}; until then every class is its own superset")
        supersets = {index: [index] for index in range(network.num_classes)}
    method = method_in_words(network, flags.get("prior_activation", "softplus"))
    model = f"{method} · {flags['architecture']} · {data_set.name}"
    drawing = {name: flags[name] for name in ("resize_alignment", "interactions") if name in flags}
    return Explainer(network, flags["crop_size"], names, supersets, model, **drawing)
