"""Maps from the class maps g before pooling: CAM (paper, Section 3) and its sums over classes.

They exist for CAM and CALM networks alike; of a CALM network g are the class logits of p(y|x,z).
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from calm.attribution.class_sets import membership, sum_over_classes
from calm.attribution.record import Attribution
from calm.attribution.score_map import min_max
from calm.networks.outputs import Output


def cam(output: Output, targets: Tensor) -> Tensor:
    """g of the target class, [B,h,w], signed, in units of the class score."""
    maps = output.class_maps
    return maps[torch.arange(len(targets), device=maps.device), targets]


def _scaled(maps: Tensor) -> Tensor:
    """Each class map [B,K,h,w] stretched to [0,1] over its cells; a constant one becomes zeros."""
    return min_max(maps, maps.amin(dim=(2, 3), keepdim=True), maps.amax(dim=(2, 3), keepdim=True))


def cam_saliency(output: Output, targets: Tensor) -> Tensor:
    """Sum over all classes of the class maps, each scaled to [0,1]; [B,h,w], the same for every target."""
    return _scaled(output.class_maps).sum(dim=1)


def cam_subset(output: Output, targets: Tensor, *, supersets: Mapping[int, Sequence[int]]) -> Tensor:
    """Sum over the target's superset of the class maps, each scaled to [0,1]; [B,h,w].

    Args:
        output: of a CAM or CALM network.
        targets: [B] class indices.
        supersets: class -> the classes that share its parts, itself included.
    """
    maps = _scaled(output.class_maps)
    return sum_over_classes(membership(targets, supersets, maps), maps)


CLASS_MAPS = {
    "cam": Attribution(cam, "output", "class map", released=("vanilla",)),
    "cam-saliency": Attribution(cam_saliency, "output", "class map", released=("vanilla-saliency",)),
    "cam-subset": Attribution(cam_subset, "output", "class map", released=("vanilla-superclass",)),
}
