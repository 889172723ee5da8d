"""The CAM family: maps [B,h,w] that are sums of a network's features, and what is known of each.

SS-CAM is torchcam's; the others are in ``layer_cam``, ``perturbed_cam``, ``finer_cam`` and ``taylor_cam``.
"""

from collections.abc import Callable

from torch import Tensor

from calm.attribution.finer_cam import finercam
from calm.attribution.layer_cam import gradcam, gradcam_plus_plus, layercam, smoothgradcam_plus_plus
from calm.attribution.libraries import torchcam_maps
from calm.attribution.perturbed_cam import COPIES_PER_PASS, ablationcam, scorecam
from calm.attribution.record import Attribution
from calm.attribution.taylor_cam import taylorcam
from calm.networks.network import Network


def sscam(
    module: Network,
    images: Tensor,
    targets: Tensor,
    *,
    sscam_nr_iter: int = 35,
    sscam_std: float = 2.0,
    seed: int = 0,
    eval_batch_size: int | None = None,
) -> Tensor:
    """Score-CAM with noise on the masks (Naidu and Michael, 2020).

    Takes ``sscam_nr_iter`` forward passes per channel, and memory for C maps of the image's size at a time.

    Args:
        module: network in eval mode.
        images: [B,3,H,W].
        targets: [B] class indices.
        sscam_nr_iter: number of noisy masks per channel.
        sscam_std: standard deviation of the noise on a mask in [0,1].
        seed: of the noise, the same for every image.
        eval_batch_size: masks of a pass.
    """
    options = {"batch_size": eval_batch_size or COPIES_PER_PASS, "num_samples": sscam_nr_iter, "std": sscam_std}
    return torchcam_maps("SSCAM", module, images, targets, seed=seed, **options)


def _weighted(function: Callable[..., Tensor], title: str) -> Attribution:
    return Attribution(function, "images", "class map", title=title)


CAM_FAMILY = {
    "gradcam": _weighted(gradcam, "Grad-CAM"),
    "gradcam++": _weighted(gradcam_plus_plus, "Grad-CAM++"),
    "layercam": _weighted(layercam, "Layer-CAM"),
    "smoothgradcam++": _weighted(smoothgradcam_plus_plus, "Smooth Grad-CAM++"),
    "scorecam": _weighted(scorecam, "Score-CAM"),
    "sscam": _weighted(sscam, "SS-CAM"),
    "ablationcam": _weighted(ablationcam, "Ablation-CAM"),
    "finercam": _weighted(finercam, "Finer-CAM"),
    "taylorcam": _weighted(taylorcam, "Taylor-CAM"),
}
