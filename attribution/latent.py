"""Maps that CALM infers from p(y,z|x), the joint of class y and cue location z (paper, Section 4.1.3).

Every function takes one forward pass's ``CalmOutput`` and targets [B] and returns maps [B,h,w]. A CAM network has no
prior p(z|x), hence none of these maps; asking it for one is a ``UserError``.
"""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from calm.attribution.class_sets import membership, sum_over_classes
from calm.attribution.record import Attribution
from calm.errors import UserError
from calm.networks.outputs import CalmOutput, Output, posterior_over_cells, states_prior

Supersets = Mapping[int, Sequence[int]]


def _calm(output: Output) -> CalmOutput:
    if not states_prior(output):
        raise UserError(
            f"{', '.join(LATENT_MAPS)} need CALM's prior p(z|x), which a CAM network does not have: choose another "
            "attribution, such as cam or gradient, or a CALM network"
        )
    return output


def joint(output: CalmOutput, targets: Tensor) -> Tensor:
    """p(y,z|x), CALM's attribution (Eq. 7): the probability that the cue is at z and the class is y."""
    return _calm(output).log_joint_of(targets).exp()


def conditional(output: CalmOutput, targets: Tensor) -> Tensor:
    """p(y|x,z): how likely class y is, were the cue at z."""
    logits = _calm(output).class_logits
    row = logits[torch.arange(len(targets), device=logits.device), targets]
    return (row - logits.logsumexp(dim=1)).exp()


def posterior(output: CalmOutput, targets: Tensor) -> Tensor:
    """p(z|x,y): where the cue is, given class y; sums to 1 over the cells."""
    return posterior_over_cells(_calm(output).log_joint_of(targets))


def saliency(output: CalmOutput, targets: Tensor) -> Tensor:
    """p(z|x): where the cue of any class is; the sum of the joint over all classes, whatever the target."""
    return _calm(output).log_p_z_given_x.squeeze(1).exp()


def subset(output: CalmOutput, targets: Tensor, *, supersets: Supersets) -> Tensor:
    """sum over y' in Y of p(y',z|x), Y the superset of the target.

    Args:
        output: of a CALM network.
        targets: [B] class indices.
        supersets: class -> the classes that share its parts, itself included.
    """
    maps = _calm(output).log_joint.exp()
    return sum_over_classes(membership(targets, supersets, maps), maps)


def subset_mean(output: CalmOutput, targets: Tensor, *, supersets: Supersets) -> Tensor:
    """``subset`` divided by the number of classes in the superset."""
    maps = _calm(output).log_joint.exp()
    members = membership(targets, supersets, maps)
    return sum_over_classes(members / members.sum(dim=1, keepdim=True), maps)


def posterior_subset(output: CalmOutput, targets: Tensor, *, supersets: Supersets) -> Tensor:
    """sum over y' in Y of p(z|x,y'): every class of the superset counts alike, however unlikely it is."""
    maps = _calm(output).log_posterior.exp()
    return sum_over_classes(membership(targets, supersets, maps), maps)


def posterior_subset_mean(output: CalmOutput, targets: Tensor, *, supersets: Supersets) -> Tensor:
    """``posterior_subset`` divided by the number of classes in the superset; sums to 1 over the cells."""
    maps = _calm(output).log_posterior.exp()
    members = membership(targets, supersets, maps)
    return sum_over_classes(members / members.sum(dim=1, keepdim=True), maps)


def counterfactual(output: CalmOutput, targets: Tensor, *, versus: int | Tensor) -> Tensor:
    """p(y,z|x) - p(y',z|x), signed: why y instead of y'.

    Args:
        output: of a CALM network.
        targets: [B], the classes y.
        versus: the classes y', [B] or one for all.
    """
    alternatives = torch.as_tensor(versus, device=targets.device).expand_as(targets)
    return joint(output, targets) - joint(output, alternatives)


def _latent(function: Callable[..., Tensor], *released: str) -> Attribution:
    return Attribution(function, "output", "probability", needs_prior=True, released=released)


LATENT_MAPS = {
    "joint": _latent(joint, "jointll"),
    "conditional": _latent(conditional),
    "posterior": _latent(posterior, "gtcond"),
    "saliency": _latent(saliency),
    "subset": _latent(subset, "jointll-superclass"),
    "subset-mean": _latent(subset_mean, "jointll-superclass-mean"),
    "posterior-subset": _latent(posterior_subset, "gtcond-superclass"),
    "posterior-subset-mean": _latent(posterior_subset_mean, "gtcond-superclass-mean"),
    "counterfactual": _latent(counterfactual),
}
