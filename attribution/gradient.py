"""Maps from the gradient of the class score by the image (baselines of the paper, Section 5.1), [B,H,W], unsigned.

All take (module in eval mode, images [B,3,H,W], targets [B]) and work on the whole batch, a class per sample. Those
that average over many altered copies of the images run a few copies at a time, so memory does not grow with their
number.
"""

from collections.abc import Callable, Iterator
from functools import wraps

import torch
from torch import Tensor

from calm.attribution.class_score import image_gradient
from calm.attribution.copies import Noise, passes, seeded_noise
from calm.attribution.guided_backprop import guided_backprop, guided_gradcam
from calm.attribution.record import Attribution
from calm.errors import UserError, require
from calm.networks.network import Network

IMAGES_PER_PASS = 8
"""Copies are joined into passes of at most this many images, or of one copy where the batch itself is larger; the
option ``eval_batch_size`` gives another number."""


def gradient(module: Network, images: Tensor, targets: Tensor) -> Tensor:
    """max over RGB of |d score / d image| (Simonyan et al., 2014)."""
    return image_gradient(module, images, targets).abs().amax(dim=1)


def integrated_gradients(
    module: Network,
    images: Tensor,
    targets: Tensor,
    *,
    integrated_grad_nr_iter: int = 50,
    ig_variant: str = "released",
    eval_batch_size: int | None = None,
) -> Tensor:
    """Gradients along the straight path from the zero image (Sundararajan et al., 2017).

    Args:
        module: network in eval mode.
        images: [B,3,H,W].
        targets: [B] class indices.
        integrated_grad_nr_iter: n. "released" sums ``gradient`` at the n+1 points k/n, k = 0..n, and divides by n;
            "standard" takes n Gauss-Legendre points.
        ig_variant: "released" has no input factor; "standard" is max over RGB of |image * integrated gradient|.
        eval_batch_size: images of a pass.
    """
    n = integrated_grad_nr_iter
    images_per_pass = eval_batch_size or IMAGES_PER_PASS
    if ig_variant == "standard":
        return times_input_gradients(module, images, targets, n, images_per_pass).abs().amax(dim=1)
    if ig_variant != "released":
        raise UserError(f"unknown `ig_variant` {ig_variant!r}: choose released or standard")
    # The factor is rounded to k/n first: near a kink of the network (k*x)/n would land on its other side.
    path = (images * (k / n) for k in range(n + 1))
    total = torch.zeros_like(images[:, 0])
    for maps in _gradient_of_each(module, path, targets, images_per_pass):
        total += maps
    return total / n


def times_input_gradients(module: Network, images: Tensor, targets: Tensor, steps: int, images_per_pass: int) -> Tensor:
    """Standard integrated gradients from the zero image, signed, [B,3,H,W]; they sum to score(x) - score(0)."""
    require("captum", extra="captum")
    from captum.attr import IntegratedGradients

    with torch.inference_mode(False):
        path = IntegratedGradients(lambda inputs, classes: module(inputs).score_of(classes))
        return path.attribute(
            images.detach().clone(),
            additional_forward_args=targets.clone(),
            n_steps=steps,
            internal_batch_size=max(images_per_pass, len(targets)),
        )


def noisy_moments(
    module: Network,
    images: Tensor,
    targets: Tensor,
    *,
    smooth_grad_nr_iter: int = 50,
    smooth_grad_sigma: float = 4.0,
    seed: int = 0,
    noise: Noise | None = None,
    eval_batch_size: int | None = None,
) -> tuple[Tensor, Tensor]:
    """Mean and variance (both [B,H,W]) of ``gradient`` over noisy copies of each image; the variance divides by n.

    SmoothGrad is the mean (Smilkov et al., 2017), VarGrad the variance (Adebayo et al., 2018).

    Args:
        module: network in eval mode.
        images: [B,3,H,W].
        targets: [B] class indices.
        smooth_grad_nr_iter: number n of noisy copies.
        smooth_grad_sigma: the noise's standard deviation is (max - min of the image) over this number.
        seed: of the noise. All images of a batch share their k-th draw, so that an image's map does not depend on
            the batch it comes in.
        noise: (k, shape [B,3,H,W]) -> the k-th standard normal draw, instead of the seeded one.
        eval_batch_size: images of a pass.
    """
    n = smooth_grad_nr_iter
    if smooth_grad_sigma <= 0:
        raise UserError(f"`smooth_grad_sigma` divides the image's range and must be above 0, not {smooth_grad_sigma}")
    draw = noise or seeded_noise(seed, images.device)
    low, high = images.amin(dim=(1, 2, 3), keepdim=True), images.amax(dim=(1, 2, 3), keepdim=True)
    sigma = (high - low) / smooth_grad_sigma
    copies = (images + sigma * torch.as_tensor(draw(k, images.shape)).to(images) for k in range(n))
    mean = torch.zeros_like(images[:, 0])
    squares = torch.zeros_like(mean)
    gradients = _gradient_of_each(module, copies, targets, eval_batch_size or IMAGES_PER_PASS)
    # Welford's recurrence: E[s^2] - E[s]^2 would cancel in float32.
    for k, maps in enumerate(gradients, start=1):
        delta = maps - mean
        mean = mean + delta / k
        squares += delta * (maps - mean)
    return mean, squares / n


def _gradient_of_each(
    module: Network, copies: Iterator[Tensor], targets: Tensor, images_per_pass: int
) -> Iterator[Tensor]:
    """``gradient`` of each altered batch, several batches to a pass."""
    for group, classes in passes(copies, targets, images_per_pass):
        yield from gradient(module, group, classes).split(len(targets))


def _statistic(of_moments: Callable[[Tensor, Tensor], Tensor], *, copies: int = 1) -> Callable[..., Tensor]:
    """An attribution with the options of ``noisy_moments`` that returns one number of (mean, variance) per pixel.

    ``copies`` is the least number of copies of which it says something.
    """

    @wraps(noisy_moments)
    def attribution(module: Network, images: Tensor, targets: Tensor, **options) -> Tensor:
        if (given := options.get("smooth_grad_nr_iter", copies)) < copies:
            raise UserError(
                f"`smooth_grad_nr_iter`={given}: one copy has no variance, and vargrad is that of 2 or more"
            )
        return of_moments(*noisy_moments(module, images, targets, **options))

    return attribution


def _gradient(function: Callable[..., Tensor], *released: str, title: str = "") -> Attribution:
    return Attribution(function, "images", "gradient", image_sized=True, title=title, released=released)


_mean = _statistic(lambda mean, variance: mean)
_mean_square = _statistic(lambda mean, variance: variance + mean.square())
_variance = _statistic(lambda mean, variance: variance, copies=2)
GRADIENTS = {
    "gradient": _gradient(gradient, "input_grad", "backprop"),
    "integrated_gradients": _gradient(integrated_gradients, "integrated_grad", title="integrated gradients"),
    "smoothgrad": _gradient(_mean, "smooth_grad", title="SmoothGrad"),
    "smoothgrad-squared": _gradient(_mean_square),
    "vargrad": _gradient(_variance, "var_grad", title="VarGrad"),
    "guided_backprop": _gradient(guided_backprop, title="guided backpropagation"),
    "guided_gradcam": _gradient(guided_gradcam, title="Guided Grad-CAM"),
}
