"""CALM in a user's own code: load a network, explain images with it, attribute a batch."""

import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from calm.arguments import check_images, check_network, check_targets, check_versus
from calm.attribution import build_attribution
from calm.errors import UserError
from calm.explaining import Explain, Images, Wanted
from calm.explanation.explainer import Explainer, explainer_of
from calm.explanation.maps import Explanation
from calm.networks import checkpoint, checkpoint_files
from calm.networks.network import Network
from calm.networks.trunks import is_of_family
from calm.stock import explainer_of_classifier, stock_explainer
from calm.transform import Transform


def load(source: str | Path, *, device: str | torch.device = "cpu", **overrides: Any) -> Network:
    """A trained network in evaluation mode.

    Beside what every network has, it carries ``transform`` (PIL image or list of them -> batch), ``class_names`` and
    ``explain`` (``calm.explain`` with this network).

    Args:
        source: a run folder, a checkpoint file, "zoo:NAME" (fetched before), "hf:OWNER/NAME" on the Hugging Face hub,
            or "timm:NAME" or "torchvision:NAME", an ImageNet classifier as a CAM network with the same scores; with
            ``pretrained=False`` untrained.
        device: where it shall be.
        overrides: flags by name, before what the checkpoint says. A released checkpoint needs ``attribution_method``,
            ``large_feature_map`` and ``dataset_name``; a file of a stock classifier needs ``architecture``.

    Raises:
        UserError: nothing is there, or it is no network, or an override does not fit.
    """
    if not isinstance(source, (str, Path)):
        raise UserError(f"`source` should be a path or a name, not a {type(source).__name__}")
    if is_of_family(str(source)):
        explainer = stock_explainer(str(source), **overrides)
    else:
        explainer = _from_checkpoint(source, overrides)
    network = explainer.network.to(device).eval()
    vars(network).update(
        transform=Transform(explainer.input_size, network.mean, network.std),
        class_names=list(explainer.class_names),
        explain=Explain(explainer),
    )
    return network


def _from_checkpoint(source: str | Path, overrides: dict[str, Any]) -> Explainer:
    try:
        path = checkpoint_files.locate_checkpoint(source)
    except UserError as error:
        raise UserError(
            str(error).replace("--load_checkpoint", "`source`").replace("load_checkpoint", "source")
        ) from None
    loaded = checkpoint.load(path, **overrides)
    if "dataset_name" not in loaded.config:
        return explainer_of_classifier(loaded.network, loaded.config.crop_size)
    flags = {"crop_size": 224, "data_root": "dataset/"} | loaded.config
    return explainer_of(loaded.network, flags, loaded.class_names, source=str(path), say=warnings.warn)


def explain(
    images: Images,
    target: Wanted = None,
    versus: Wanted = None,
    subset: Wanted = None,
    *,
    network: Network | None = None,
) -> list[Explanation]:
    """Why a network says what it says, for each image: maps, probabilities, sentences and an overlay, in memory.

    Args:
        images: a PIL image, an image file, a list of either, upright as their EXIF orientation says, or a normalised
            batch [B,3,S,S].
        target: the class to explain, by index or name, or a list of one per image; by default the predicted one.
        versus: the class to compare with, in the same ways; by default the most probable other one.
        subset: a class or a list of classes whose maps are added up; by default the superset of the target.
        network: as ``calm.load`` gives it; ``network.explain(images, ...)`` is the same.

    Returns:
        An ``Explanation`` per image: ``maps`` (kind -> [h,w] array), ``p_y`` [K], ``sentence(kind)``, ``summary()``,
        ``overlay(kind)``.
    """
    if network is None:
        raise UserError(
            "`network` is missing: calm.explain(images, network=calm.load(...)), or network.explain(images)"
        )
    bound = getattr(check_network(network), "explain", None)
    if not isinstance(bound, Explain):
        raise UserError("`network` does not know its classes and its input size: take it from calm.load")
    return bound(images, target, versus, subset)


def attribute(name: str, network: nn.Module, images: Tensor, targets: Tensor, **options: Any) -> Tensor:
    """Raw maps of one attribution, [B,h,w] or [B,H,W], detached.

    Args:
        name: of ``attribution.ATTRIBUTIONS``, or the published code's.
        network: as ``calm.load`` or ``networks.build_network`` gives it; or any module that maps images to logits, for
            gradient maps and the CAM family (``layers`` names its feature map, by default the last).
        images: [B,3,H,W], as ``network.transform`` makes them.
        targets: [B] class indices.
        options: of the attribution, such as ``versus`` or ``supersets``.

    Raises:
        UserError: an unknown name or option, or an argument of another type, shape or range.
    """
    if not isinstance(name, str):
        raise UserError(f"`name` should be the name of an attribution, not a {type(name).__name__}")
    attribution = build_attribution(name, **options)
    check_network(network)
    images, num_classes = check_images(images, network=network), getattr(network, "num_classes", None)
    if options.get("versus") is not None:
        check_versus(options["versus"], images, num_classes)
    return attribution(network, images, check_targets(targets, images, num_classes))
