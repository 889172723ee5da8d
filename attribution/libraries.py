"""Maps of the installed libraries under their own names: ``torchcam:GradCAMpp``, ``captum:LayerGradientXActivation``.

A map is the library's, raw: nothing is scaled, and its defaults hold. The libraries see the network as a trunk, the
last features under the name ``tap``, and class scores; one image at a time, so that their passes need little memory.
"""

import inspect
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from calm.errors import UserError, require
from calm.networks.network import Network

_NOT_OURS = {
    "torchcam": {"CAM", "LeGrad", "RefineCAM"},  # for a linear classifier, for transformers, for several layers
    "captum": {"LayerDeepLift", "LayerDeepLiftShap", "LayerLRP", "LayerFeaturePermutation"},
}
"""captum's change the backward rule of layers, each of which must be a module used once, or need several images."""


class Tapped(nn.Module):
    """Images [B,3,H,W] -> trunk -> ``tap``, an identity on the last features -> class scores [B,K].

    The network is held, but not registered, so that no library hooks or changes its layers.
    """

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.tap = nn.Identity()
        self._network = (network,)

    def forward(self, images: Tensor) -> Tensor:
        """mean_z g, or log p(y|x), in float32 or better."""
        (network,) = self._network
        features = network.features(images)
        features = self.tap(features.to(torch.promote_types(features.dtype, torch.float32)))
        return network.read_out(features, images=images).class_scores


def torchcam_names() -> list[str]:
    """Extractors of torchcam that work on a convolutional network's last features."""
    require("torchcam", extra="torchcam")
    import torchcam.methods

    return sorted(
        name
        for name, found in vars(torchcam.methods).items()
        if inspect.isclass(found) and name not in _NOT_OURS["torchcam"]
    )


def captum_names() -> list[str]:
    """Layer attributions of captum for one layer."""
    require("captum", extra="captum")
    import captum.attr

    return sorted(
        name
        for name, found in vars(captum.attr).items()
        if inspect.isclass(found)
        and issubclass(found, captum.attr.LayerAttribution)
        and found is not captum.attr.LayerAttribution
        and name not in _NOT_OURS["captum"]
    )


def torchcam_maps(
    name: str, module: Network, images: Tensor, targets: Tensor, *, seed: int = 0, **options: Any
) -> Tensor:
    """[B,h,w], unnormalised, of the extractor ``name`` with its own options; its draws start anew for every image."""
    require("torchcam", extra="torchcam")
    import torchcam.methods

    def one(image: Tensor, target: Tensor) -> Tensor:
        tapped = Tapped(module).eval()
        with getattr(torchcam.methods, name)(tapped, "tap", **options) as extractor:
            scores = tapped(image.requires_grad_(True))
            return extractor([int(target)], scores, normalized=False)[0]

    return _each(one, images, targets, f"torchcam:{name}", seed)


def torchcam_map(name: str) -> Callable[..., Tensor]:
    """The extractor ``name`` of torchcam as an attribution with the option ``seed``.

    Raises:
        UserError: torchcam has no such extractor.
    """
    _check("torchcam", name, torchcam_names())

    def attribution(module: Network, images: Tensor, targets: Tensor, *, seed: int = 0) -> Tensor:
        return torchcam_maps(name, module, images, targets, seed=seed)

    return attribution


def captum_map(name: str) -> Callable[..., Tensor]:
    """The layer attribution ``name`` of captum: [B,h,w], summed over the channels.

    Raises:
        UserError: captum has no such layer attribution.
    """
    _check("captum", name, captum_names())

    def attribution(module: Network, images: Tensor, targets: Tensor, *, seed: int = 0) -> Tensor:
        """Draws of noise start from ``seed`` for every image; where a baseline is a must it is the mean colour, 0."""
        import captum.attr

        def one(image: Tensor, target: Tensor) -> Tensor:
            tapped = Tapped(module).eval()
            explainer = getattr(captum.attr, name)(tapped, tapped.tap)
            parameters = inspect.signature(explainer.attribute).parameters
            options = {"target": target.clone()} if "target" in parameters else {}
            if "baselines" in parameters and parameters["baselines"].default is inspect.Parameter.empty:
                options["baselines"] = torch.zeros_like(image).repeat(2, 1, 1, 1)
            return explainer.attribute(image, **options).sum(dim=1)

        return _each(one, images, targets, f"captum:{name}", seed)

    return attribution


LIBRARIES: dict[str, Callable[[str], Callable[..., Tensor]]] = {"torchcam": torchcam_map, "captum": captum_map}
"""Prefix before the colon -> (name -> attribution)."""


def _check(library: str, name: str, names: list[str]) -> None:
    if name not in names:
        raise UserError(f"{library} has no map {name!r} for one layer: choose {', '.join(names)}")


def _each(one: Callable[[Tensor, Tensor], Tensor], images: Tensor, targets: Tensor, name: str, seed: int) -> Tensor:
    """``one`` of every image; what a library cannot do is said in one sentence."""
    maps = []
    for image, target in zip(images.split(1), targets.split(1)):
        with torch.inference_mode(False), torch.enable_grad(), _seeded(seed):
            try:
                maps.append(one(image.detach().clone(), target).detach())
            except (AssertionError, IndexError, NotImplementedError, TypeError, ValueError) as error:
                reason = str(error).split("\n")[0]
                raise UserError(f"{name} cannot explain this network ({type(error).__name__}: {reason})") from error
    return torch.cat(maps)


@contextmanager
def _seeded(seed: int) -> Generator[None, None, None]:
    """torch's and NumPy's global generators start from ``seed`` and are given back; captum draws from both."""
    kept = np.random.get_state()  # noqa: NPY002
    try:
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            np.random.seed(seed)  # noqa: NPY002
            yield
    finally:
        np.random.set_state(kept)  # noqa: NPY002
