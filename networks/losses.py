"""Losses: (output, targets [B]) -> scalar, and the table of training methods."""

import torch.nn.functional as F
from torch import Tensor

from calm.networks.heads import CalmHead, CamHead
from calm.networks.outputs import CalmOutput, CamOutput


def cam_loss(output: CamOutput, targets: Tensor) -> Tensor:
    """Cross entropy of softmax(mean_z g), averaged over the batch (paper, Eq. 1)."""
    return F.cross_entropy(output.class_scores, targets)


def marginal_loss(output: CalmOutput, targets: Tensor) -> Tensor:
    """-log p(y|x) = -logsumexp_z log p(y,z|x), averaged over the batch (paper, Eq. 4)."""
    return -output.log_joint_of(targets).logsumexp(dim=(1, 2)).mean()


def posterior(log_joint: Tensor) -> Tensor:
    """p(z|x,y) [B,h,w] from log p(y,z|x) [B,h,w]: a softmax over the cells."""
    return log_joint.flatten(1).softmax(dim=1).view_as(log_joint)


def em_loss(output: CalmOutput, targets: Tensor, teacher_posterior: Tensor | None = None) -> Tensor:
    """-sum_z q_z log p(y,z|x), averaged over the batch (paper, Eq. 6).

    Args:
        output: of the network with parameters theta.
        targets: [B] class indices.
        teacher_posterior: q = p'(z|x,y) [B,h,w] under theta'. None takes theta' = theta, as the paper does in
            practice; the gradient is then that of ``marginal_loss`` (Fisher's identity).
    """
    log_joint = output.log_joint_of(targets)
    q = posterior(log_joint.detach()) if teacher_posterior is None else teacher_posterior
    return -(q * log_joint).sum(dim=(1, 2)).mean()


METHODS = {
    "CAM": (CamHead, cam_loss),
    "CALM_ML": (CalmHead, marginal_loss),
    "CALM_EM": (CalmHead, em_loss),
}
"""Training method -> (head, loss)."""
