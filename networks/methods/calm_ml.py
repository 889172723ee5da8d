"""CALM_ML: CALM trained by marginal likelihood (paper, Section 4.1.2)."""

from torch import Tensor

from calm.networks.heads import CalmHead
from calm.networks.methods.base import Method
from calm.networks.outputs import CalmOutput


def marginal_loss(output: CalmOutput, targets: Tensor) -> Tensor:
    """-log p(y|x) = -logsumexp_z log p(y,z|x), averaged over the batch (paper, Eq. 4)."""
    return -output.log_joint_of(targets).logsumexp(dim=(1, 2)).mean()


CALM_ML = Method(CalmHead, marginal_loss, default_map="joint")
