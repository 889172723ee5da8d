"""Checkpoints, ours, the released ones and stock classifiers', turned into a network."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from munch import Munch
from torch import Tensor

from calm.errors import UserError
from calm.flags import checked, names
from calm.networks.build import network_of
from calm.networks.checkpoint_files import locate_checkpoint, read_checkpoint
from calm.networks.methods import METHODS, canonical_method
from calm.networks.network import Network
from calm.networks.stock import METHOD, cam_network, is_stock, renamed_classifier
from calm.networks.trunks import canonical_architecture, trunk_named
from calm.networks.weight_files import check_fit, copy_weights
from calm.networks.zoo.files import read_note

CHECKPOINT_KEYS = names(stated=True)
"""What an evaluation takes over from the run that wrote its checkpoint, unless the command line says otherwise."""
OTHER_NAMES = {"method": "attribution_method", "dataset": "dataset_name"}
RELEASED = {"prior_activation": "relu", "detach_prior_sum": True, "inception_tap": "mixed_6d"}
"""What the released code fixes, and its checkpoints therefore do not say."""
UNSAID = ("attribution_method", "large_feature_map", "dataset_name")
"""What the released code leaves to flags, and its checkpoints do not say either."""
PRIOR = ("attention.",)
"""Beginning of the names of the prior branch, which CAM checkpoints hold untrained."""
FIT_HINT = "do `architecture`, `large_feature_map`, `use_bn` and the number of classes fit this checkpoint?"


class Loaded(NamedTuple):
    """A network out of a checkpoint."""

    network: Network
    config: Munch
    """Flags of the run, with overrides applied; of a released checkpoint, those that describe network and data."""
    overridden: dict[str, Any]
    """What the run's own config said, for every flag that an override changed."""
    class_names: list[str] | None
    """A name for each class, as the run knew them; None in a released checkpoint."""


def load_matching(
    network: Network, name: str | Path, *, save_root: str | Path | None = None, skip: tuple[str, ...] = ()
) -> list[str]:
    """Start ``network`` from a checkpoint, which may be a stock classifier's.

    A network with a prior that starts from one without keeps its own first prior branch.

    Args:
        network: changed in place, or not at all if the checkpoint does not fit.
        name: as ``locate_checkpoint`` takes it.
        save_root: as there.
        skip: beginnings of names not to take over. With any given the checkpoint may be another task's: the head's
            layers may be absent from it, and tensors that the network lacks are left aside; the trunk must be whole.

    Returns:
        Names of the tensors that kept their values.
    """
    path = locate_checkpoint(name, save_root=save_root)
    content = read_checkpoint(path)
    state, is_other = content["state_dict"], bool(skip)
    heads = tuple(f"{layer}." for layer in network.head_layers)
    new = (*skip, *heads, *network.unpublished_layers) if is_other else ()
    if is_stock(state):
        state, new, is_other = renamed_classifier(network, state), (*new, *PRIOR, *network.unpublished_layers), True
    elif network.head.uses_prior and not says_prior(content):
        skip, new = (*skip, *PRIOR), (*new, *PRIOR)
    taken = {key: tensor for key, tensor in state.items() if not (skip and key.startswith(skip))}
    return copy_weights(network, taken, source=str(path), hint=FIT_HINT, new=new, ignore_surplus=is_other)


def says_prior(content: Mapping[str, Any]) -> bool:
    """Whether a checkpoint's prior branch was trained; one that does not say its method may have one."""
    method = (content.get("config") or {}).get("attribution_method")
    return method not in METHODS or METHODS[method].needs_prior


def load_network(folder_or_file: str | Path, **overrides: Any) -> tuple[Network, Munch]:
    """A trained network in evaluation mode, on the CPU, and its flags.

    Args:
        folder_or_file: run folder, checkpoint file or "zoo:NAME".
        overrides: flags by name (also ``method``, ``dataset``), before what the checkpoint says. A released
            checkpoint needs ``attribution_method``, ``large_feature_map`` and ``dataset_name``, a stock classifier's
            ``architecture``.

    Raises:
        UserError: an unreadable file, a flag missing or unknown, or one against the weights.
    """
    loaded = load(folder_or_file, **overrides)
    return loaded.network, loaded.config


def load(folder_or_file: str | Path, **overrides: Any) -> Loaded:
    """As ``load_network``, and what the overrides changed."""
    path = locate_checkpoint(folder_or_file)
    content = read_checkpoint(path)
    if is_stock(content["state_dict"]):
        return load_stock(content["state_dict"], named_overrides(overrides, {}), path)
    stored = stated_config(content, path)
    stored |= checked(stored, str(path))
    given = named_overrides(overrides, stored)
    config = Munch(stored | given)
    missing = [key for key in ("architecture", *UNSAID) if key not in config]
    if missing:
        flags = ", ".join(f"`{key}`" for key in missing)
        raise UserError(f"{path}: does not say how it was trained; give {flags}")
    config.architecture = canonical_architecture(config.architecture)
    config.attribution_method = canonical_method(config.attribution_method)
    if METHODS[config.attribution_method].needs_prior and not says_prior(content):
        raise UserError(
            f"{path}: was trained by {stored['attribution_method']}, so its prior was never trained and it is no "
            f"{config.attribution_method} network: leave `attribution_method` out, or train on from it by main.py"
        )
    num_classes = check_against_weights(config, content["state_dict"], path)
    network = network_of({**config, "crop_size": stored.get("crop_size")}, num_classes)  # as it was trained
    copy_weights(network, content["state_dict"], source=str(path), hint=FIT_HINT)
    overridden = {key: stored[key] for key in given if key in stored and stored[key] != config[key]}
    return Loaded(network.eval(), config, overridden, content.get("class_names"))


def load_stock(state: Mapping[str, Tensor], given: Mapping[str, Any], path: Path) -> Loaded:
    """A stock classifier's file as a CAM network; the flags that ``given`` does not say are those of such a network.

    ``dataset_name`` stays unsaid, except of ImageNet's 1000 classes; ``crop_size`` is the classifier's own.
    """
    if "architecture" not in given:
        raise UserError(
            f"{path}: a classifier's weights, which do not say of what network: give `architecture`, such as "
            "torchvision:resnet18 or timm:resnet18"
        )
    own: dict[str, Any] = {"attribution_method": METHOD, "large_feature_map": False}
    asked = {**own, **given}
    asked["attribution_method"] = canonical_method(asked["attribution_method"])
    if others := [name for name in own if asked[name] != own[name]]:
        raise UserError(f"{path}: is a stock classifier, a CAM network with cells as they are: leave `{others[0]}` out")
    network = cam_network(given["architecture"], state, source=str(path))
    if given.get("num_classes", network.num_classes) != network.num_classes:
        raise UserError(f"{path}: has {network.num_classes} classes, not {given['num_classes']}")
    data = {"crop_size": network.usual_size, **({"dataset_name": "ILSVRC"} if network.num_classes == 1000 else {})}
    return Loaded(network, Munch({**data, **given, **own, "architecture": network.architecture}), {}, None)


def check_is_network(path: Path, recipe: Mapping[str, Any], num_classes: int) -> None:
    """Refuse a file that is no checkpoint of the network that ``recipe`` describes; nothing is built in memory.

    Args:
        path: of the file.
        recipe: flags that describe the network.
        num_classes: K.

    Raises:
        UserError: the file is not readable as a checkpoint, or its tensors are those of another network.
    """
    state = read_checkpoint(path)["state_dict"]
    with torch.device("meta"):
        network = network_of(recipe, num_classes)
    check_fit(network.state_dict(), state, source=str(path), hint="it is another file than the one that was asked for")


def stated_config(content: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """The run's flags as far as the checkpoint, or the note that the zoo left beside it, says them."""
    stated = {"architecture": content["architecture"]} if isinstance(content.get("architecture"), str) else {}
    if content.get("config"):
        return stated | dict(content["config"])
    return RELEASED | read_note(path.parent).get("recipe", {}) | stated


def named_overrides(overrides: Mapping[str, Any], stored: Mapping[str, Any]) -> dict[str, Any]:
    """Overrides under the flags' names; an unknown name, or a value that its flag does not take, is an error."""
    given = {OTHER_NAMES.get(key, key): str(v) if isinstance(v, Path) else v for key, v in overrides.items()}
    known = {*CHECKPOINT_KEYS, "num_classes", *stored}
    for key in given:
        if key not in known:
            raise UserError(f"load_network: unknown option '{key}'; it takes {', '.join(CHECKPOINT_KEYS)}")
    return given | checked(given, "load_network")


def check_against_weights(config: Munch, state: Mapping[str, Tensor], path: Path) -> int:
    """Take ``use_bn`` from the names and return K from the shapes; a flag that says otherwise is an error."""
    head = METHODS[config.attribution_method].head
    num_classes = head.count_classes(state)
    if num_classes is None:
        raise UserError(f"{path}: has no {head.class_layers[0]} layer, so it is no {config.attribution_method} network")
    if config.get("num_classes", num_classes) != num_classes:
        raise UserError(f"{path}: has {num_classes} classes, not {config.num_classes}")
    use_bn = trunk_named(config.architecture).use_bn_of(state)
    if use_bn is not None:
        if config.get("use_bn", use_bn) != use_bn:
            raise UserError(f"{path}: was trained with `use_bn`={use_bn}; leave `use_bn`={config.use_bn} out")
        config.use_bn = use_bn
    return num_classes
