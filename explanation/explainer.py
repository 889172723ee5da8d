"""A network that explains image files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from calm.data_loaders.transforms import to_tensor
from calm.explanation.image_files import open_image
from calm.explanation.maps import Explanation, Question
from calm.explanation.questions import Ask
from calm.networks.network import Network

PRIORS = {"softplus": "softplus", "relu": "ReLU"}
"""--prior_activation -> as people write it."""


def method_in_words(method: str, prior_activation: str) -> str:
    """Such as "CALM_EM, ReLU prior", or "CAM", which has none."""
    return method if method == "CAM" else f"{method}, {PRIORS[prior_activation]} prior"


@dataclass(frozen=True)
class Explainer:
    """Image file -> ``Explanation``, one forward pass each."""

    network: Network
    """In evaluation mode."""
    input_size: int
    """Side of the network's input, pixels (--crop_size)."""
    class_names: Sequence[str]
    supersets: Mapping[int, Sequence[int]]
    model: str
    """What it is, in words."""

    def __call__(self, path: str | Path, ask: Ask | None = None) -> Explanation:
        """Explain one file.

        Args:
            path: an image.
            ask: what to explain; by default the predicted class, against the runner-up.
        """
        view, picture, size = open_image(Path(path), self.input_size)
        device = next(self.network.parameters()).device
        images = to_tensor(view, self.network.mean, self.network.std)[None].to(device)
        with torch.no_grad():
            output = self.network(images)
        output = type(output)(*(tensor.float().cpu() for tensor in output))
        ranking = output.log_p_y[0].double().sort(descending=True, stable=True).indices.tolist()
        question: Question = (ask or Ask()).of(ranking, self.supersets)
        return Explanation(
            image_id=Path(path).name,
            picture=picture,
            size=size,
            input_size=self.input_size,
            output=output,
            class_names=self.class_names,
            supersets=self.supersets,
            question=question,
            model=self.model,
        )
