"""Networks: build one by name, or load one from a checkpoint."""

from networks.build import ARCHITECTURES, build_network
from networks.checkpoint import load_network
from networks.losses import METHODS

__all__ = ["ARCHITECTURES", "METHODS", "build_network", "load_network"]
