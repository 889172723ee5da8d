"""ImageNet weights into a network's trunk: from its usual source, or from a given file."""

from pathlib import Path

from calm.networks.network import Network
from calm.networks.weight_files import copy_weights, read_state
from calm.networks.zoo.files import fetched_file


def load_imagenet_weights(network: Network, *, path: str | Path | None = None) -> None:
    """Fill the trunk of ``network``; every tensor that ImageNet weights have must come from them.

    Args:
        network: fresh from its constructor; the head's layers and ``unpublished_layers`` keep their first weights.
        path: file of a state dict (torch.save or safetensors), or "zoo:NAME". None: the trunk's usual source.

    Raises:
        UserError: the weights cannot be had, are damaged, or do not fit.
    """
    if path is None:
        state, source = network.imagenet_state()
    else:
        path = located(path)
        state, source = read_state(path), str(path)
    heads = tuple(f"{layer}." for layer in network.head_layers)
    state = {name: tensor for name, tensor in state.items() if not name.startswith(heads)}
    copy_weights(
        network,
        network.renamed(state),
        source=source,
        new=(*heads, *network.unpublished_layers),
        hint=f"are these ImageNet weights for {network.architecture}?",
        ignore_surplus=True,
    )


def located(path: str | Path) -> Path:
    """A given path, "zoo:NAME" resolved."""
    return fetched_file(str(path).removeprefix("zoo:")) if str(path).startswith("zoo:") else Path(path)
