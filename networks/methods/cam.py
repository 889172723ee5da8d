"""CAM: class activation mapping, trained with cross entropy (paper, Section 3)."""

from functools import partial

import torch.nn.functional as F
from torch import Tensor, nn

from calm.networks.heads import CamHead
from calm.networks.methods.base import Loss, Method, Objective
from calm.networks.outputs import Output


def cam_loss(output: Output, targets: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """Cross entropy of softmax(mean_z g), averaged over the batch (paper, Eq. 1).

    Args:
        output: of the network.
        targets: [B] class indices.
        label_smoothing: share of each target that is spread over all classes evenly (Szegedy et al., CVPR 2016).
    """
    return F.cross_entropy(output.class_scores, targets, label_smoothing=label_smoothing)


class CamObjective(Objective):
    """Cross entropy, with smoothed labels where asked for."""

    def __init__(self, loss: Loss, network: nn.Module, *, label_smoothing: float = 0.0) -> None:
        """Bind the share; see ``cam_loss`` and ``Objective``."""
        super().__init__(partial(loss, label_smoothing=label_smoothing), network)


CAM = Method(CamHead, cam_loss, CamObjective)
