"""A network that explains images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from calm.data_loaders.transforms import to_tensor
from calm.explanation.image_files import Photograph, open_image
from calm.explanation.maps import Explanation
from calm.explanation.questions import Ask
from calm.networks.network import Network
from calm.networks.outputs import CalmOutput, CamOutput

PRIORS = {"softplus": "softplus", "relu": "ReLU"}
"""Activation of the prior -> as people write it."""


def method_in_words(method: str, prior_activation: str) -> str:
    """Such as "CALM_EM, ReLU prior", or "CAM", which has none."""
    return method if method == "CAM" else f"{method}, {PRIORS[prior_activation]} prior"


@dataclass(frozen=True)
class Explainer:
    """Images -> ``Explanation`` of each."""

    network: Network
    """In evaluation mode."""
    input_size: int
    """Side of the network's input, pixels."""
    class_names: Sequence[str]
    supersets: Mapping[int, Sequence[int]]
    model: str
    """What it is, in words."""

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
            images: [B,3,S,S], what the network sees; by default the photographs' views, normalised for it.
        """
        if images is None:
            mean, std = self.network.mean, self.network.std
            images = torch.stack([to_tensor(photograph.view, mean, std) for photograph in photographs])
        with torch.no_grad():
            outputs = self.network(images.to(next(self.network.parameters()).device))
        outputs = type(outputs)(*(part.float().cpu() for part in outputs))
        return [
            self._explanation(photograph, ask, type(outputs)(*(part[index : index + 1] for part in outputs)))
            for index, (photograph, ask) in enumerate(zip(photographs, asks, strict=True))
        ]

    def _explanation(self, photograph: Photograph, ask: Ask, output: CalmOutput | CamOutput) -> Explanation:
        ranking = output.log_p_y[0].double().sort(descending=True, stable=True).indices.tolist()
        return Explanation(
            image_id=photograph.name,
            picture=photograph.picture,
            size=photograph.size,
            input_size=self.input_size,
            output=output,
            class_names=self.class_names,
            supersets=self.supersets,
            question=ask.of(ranking, self.supersets),
            model=self.model,
        )
