"""CAM: class activation mapping, trained with cross entropy (paper, Section 3)."""

import torch.nn.functional as F
from torch import Tensor

from calm.networks.heads import CamHead
from calm.networks.methods.base import Method
from calm.networks.outputs import Output


def cam_loss(output: Output, targets: Tensor) -> Tensor:
    """Cross entropy of softmax(mean_z g), averaged over the batch (paper, Eq. 1)."""
    return F.cross_entropy(output.class_scores, targets)


CAM = Method(CamHead, cam_loss)
