"""What a network says about an image: distributions over the class y and the cue location z, in log space.

``CamOutput`` and ``CalmOutput`` share one face: ``class_maps`` [B,K,h,w], ``class_scores`` [B,K], ``log_p_y`` [B,K],
``score_of(targets)`` [B] and ``has_prior``. The face of a method of another kind is the same.
"""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple, Protocol, TypeGuard

import torch
from torch import Tensor

from calm.errors import UserError

SHARES = 8
"""Parts of a batch that reductions over [B,K,h,w] take in turn: few launches on a GPU, an eighth of the memory."""


class _LogSoftmaxAt(torch.autograd.Function):
    """log softmax over the classes, at one class per sample, without a second [B,K,h,w] tensor in memory.

    Autograd through ``logsumexp`` would hold the logits, their exponentials and two gradients at once. Here the
    forward pass goes over shares of the batch and the backward pass builds the gradient in place.
    """

    @staticmethod
    def forward(ctx, logits: Tensor, targets: Tensor) -> Tensor:
        log_total = torch.cat([share.logsumexp(dim=1) for share in logits.chunk(SHARES)])
        ctx.save_for_backward(logits, log_total, targets)
        return _row(logits, targets) - log_total

    @staticmethod
    def backward(ctx, *grads: Tensor) -> tuple[Tensor, None]:
        logits, log_total, targets = ctx.saved_tensors
        (grad,) = grads
        if torch.is_grad_enabled():  # this pass is itself differentiated: nothing in place, nothing saved
            grad = grad[:, None]
            return (-grad * logits.softmax(dim=1)).scatter_add(1, _row_index(logits, targets), grad), None
        grad_logits = torch.sub(logits, log_total[:, None]).exp_().mul_(-grad[:, None])
        grad_logits.scatter_add_(1, _row_index(logits, targets), grad[:, None])
        return grad_logits, None


def _row_index(maps: Tensor, targets: Tensor) -> Tensor:
    return targets[:, None, None, None].expand(-1, 1, *maps.shape[2:])


def _row(maps: Tensor, targets: Tensor) -> Tensor:
    """[B,K,h,w], [B] -> [B,h,w], the map of each sample's own class."""
    return maps.gather(1, _row_index(maps, targets)).squeeze(1)


def posterior_over_cells(log_joint: Tensor) -> Tensor:
    """p(z|x,y) [B,h,w] from log p(y,z|x) [B,h,w]: a softmax over the cells."""
    return log_joint.flatten(1).softmax(dim=1).view_as(log_joint)


class Output(Protocol):
    """What every output offers, whatever the method: a named tuple of tensors, each with the batch in front."""

    def _asdict(self) -> dict[str, Tensor]: ...

    @property
    def has_prior(self) -> bool:
        """Whether the network models the cue location: p(z|x) and with it the joint and the posterior."""

    @property
    def class_maps(self) -> Tensor:
        """Class scores per cell before pooling, g, [B,K,h,w]."""

    @property
    def class_scores(self) -> Tensor:
        """What the attributions that differentiate or watch a class score take for it, [B,K]."""

    @property
    def log_p_y(self) -> Tensor:
        """log p(y|x), [B,K]."""

    def score_of(self, targets: Tensor) -> Tensor:
        """``class_scores`` of each sample's own target [B], differentiable, [B]."""


class CamOutput(NamedTuple):
    """A CAM network's output: class scores before pooling (paper, Eq. 1)."""

    class_maps: Tensor
    """g, [B,K,h,w]."""

    has_prior = False
    """No p(z|x)."""

    @property
    def class_scores(self) -> Tensor:
        """mean_z g, [B,K]."""
        return self.class_maps.mean(dim=(2, 3))

    @property
    def log_p_y(self) -> Tensor:
        """log p(y|x) = log softmax(mean_z g), [B,K]."""
        return self.class_scores.log_softmax(dim=1)

    def score_of(self, targets: Tensor) -> Tensor:
        """mean_z g of one class per sample, [B]; differentiable."""
        return self.class_scores.gather(1, targets[:, None]).squeeze(1)


class CalmOutput(NamedTuple):
    """A CALM network's output: the factors of p(y,z|x) = p(y|x,z) p(z|x) (paper, Section 4.1.1)."""

    class_logits: Tensor
    """g, [B,K,h,w]; p(y|x,z) is its softmax over K."""
    log_p_z_given_x: Tensor
    """log p(z|x), [B,1,h,w]; its exponentials sum to 1 over the cells."""

    has_prior = True
    """It states p(z|x)."""

    @property
    def class_maps(self) -> Tensor:
        """g, [B,K,h,w]: the class logits."""
        return self.class_logits

    @property
    def log_p_y_given_xz(self) -> Tensor:
        """log p(y|x,z), [B,K,h,w]: the conditional."""
        return self.class_logits.log_softmax(dim=1)

    @property
    def log_joint(self) -> Tensor:
        """log p(y,z|x), [B,K,h,w]: CALM's attribution for every class (paper, Eq. 7)."""
        return self.log_p_y_given_xz + self.log_p_z_given_x

    @property
    def log_p_y(self) -> Tensor:
        """log p(y|x) = logsumexp_z log p(y,z|x), [B,K] (paper, Eq. 3).

        Without gradients a share of the batch at a time, in memory for a quarter of the logits or two images' logits.
        """
        if torch.is_grad_enabled() and any(field.requires_grad for field in self):
            return self.log_joint.logsumexp(dim=(2, 3))
        shares = zip(*(field.chunk(SHARES) for field in self))
        return torch.cat([CalmOutput(*share)._log_p_y() for share in shares])

    def _log_p_y(self) -> Tensor:
        return self.class_logits.log_softmax(dim=1).add_(self.log_p_z_given_x).logsumexp(dim=(2, 3))

    @property
    def class_scores(self) -> Tensor:
        """log p(y|x), [B,K]: what a gradient-based attribution differentiates."""
        return self.log_p_y

    @property
    def log_posterior(self) -> Tensor:
        """log p(z|x,y), [B,K,h,w]; its exponentials sum to 1 over the cells."""
        joint = self.log_joint
        return joint - joint.logsumexp(dim=(2, 3), keepdim=True)

    def log_joint_of(self, targets: Tensor) -> Tensor:
        """log p(y,z|x) of one class per sample, [B,h,w], from the target row alone: no [B,K,h,w] joint is built.

        Args:
            targets: [B] class indices.
        """
        return _LogSoftmaxAt.apply(self.class_logits, targets) + self.log_p_z_given_x.squeeze(1)

    def score_of(self, targets: Tensor) -> Tensor:
        """log p(y|x) of one class per sample, [B], from the target row alone; differentiable."""
        return self.log_joint_of(targets).logsumexp(dim=(1, 2))


def states_prior(output: Output) -> TypeGuard[CalmOutput]:
    """``output.has_prior``, in the form by which a type checker learns that p(z|x) may be read."""
    return output.has_prior


class NotFinite(UserError):
    """A network says NaN or infinity of an image; ``position`` is the image's in the batch."""

    def __init__(self, position: int, field: str, name: str | None = None) -> None:
        super().__init__(
            f"{name or f'image {position} of the batch'}: the network's {field} are not finite: its weights are "
            "damaged or its training diverged; take another checkpoint"
        )
        self.position, self.field = position, field

    def named(self, name_of: Callable[[int], str]) -> "NotFinite":
        """The same of an image with a name; ``name_of`` is (position in the batch) -> name."""
        return NotFinite(self.position, self.field, name_of(self.position))


class Finite:
    """Whether outputs are finite, to be asked once for many of them, since asking waits for the device."""

    def __init__(self) -> None:
        self._seen: list[tuple[list[str], Tensor]] = []

    @property
    def has_seen(self) -> bool:
        """Whether there was an output."""
        return bool(self._seen)

    def add(self, output: Output) -> None:
        """Look at an output's fields."""
        fields = output._asdict()
        finite = torch.stack([tensor.isfinite().flatten(1).all(dim=1) for tensor in fields.values()])  # [fields, B]
        self._seen.append(([*fields], finite))

    def require(self) -> None:
        """Refuse an output with a NaN or an infinity: every number made of it would be wrong.

        Raises:
            NotFinite: naming the first image and the field.
        """
        if not self._seen or bool(torch.stack([finite.all() for _, finite in self._seen]).all()):
            return
        fields, finite = next(seen for seen in self._seen if not seen[1].all())
        field, position = (~finite).nonzero()[0].tolist()
        raise NotFinite(position, fields[field])


_later: ContextVar[Finite | None] = ContextVar("_later", default=None)


@contextmanager
def finite_later() -> Generator[Finite, None, None]:
    """In the block ``check_finite`` looks and does not ask; who opened the block asks by ``require`` behind it."""
    finite = Finite()
    token = _later.set(finite)
    try:
        yield finite
    finally:
        _later.reset(token)


def check_finite(output: Output) -> None:
    """Refuse an output with a NaN or an infinity, now or, in ``finite_later``, with others.

    Raises:
        NotFinite: naming the first image and the field.
    """
    if (collected := _later.get()) is not None:
        collected.add(output)
        return
    finite = Finite()
    finite.add(output)
    finite.require()
