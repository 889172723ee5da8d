"""Maps of torchcam that have the same formula as ours."""

from collections.abc import Callable
from typing import Any

import torchcam.methods
from torch import Tensor

from peer_groups.pairs import Inputs, Pair, largest


def pairs(inputs: Inputs) -> dict[str, Pair]:
    """Of the same feature map; Score-CAM, 512 passes an image, of one image of 64 pixels."""
    one = Inputs(batch=1, side=64)
    return {
        "gradcam": Pair(inputs.ours("gradcam"), _torchcam(inputs, "GradCAM"), largest, "torchcam"),
        "layercam": Pair(inputs.ours("layercam"), _torchcam(inputs, "LayerCAM"), largest, "torchcam"),
        "scorecam": Pair(one.ours("scorecam"), _torchcam(one, "ScoreCAM", batch_size=32), largest, "torchcam"),
    }


def _torchcam(inputs: Inputs, name: str, **options: Any) -> Callable[[], Tensor]:
    def maps() -> Tensor:
        with getattr(torchcam.methods, name)(inputs.scores, "tap", **options) as extractor:
            scores = inputs.scores(inputs.images.clone().requires_grad_())
            return extractor(inputs.targets.tolist(), scores, normalized=False)[0]

    return maps
