"""Maps made by captum and torchcam under the one attribution signature: raw values, [B,h,w] on the last feature map.

The libraries are slow to import, so that only their functions do it. They work on a ``Scorer``, a throw-away module
around the network: their hooks sit on its layer ``tap``, so the network itself is never hooked. They take the network
in eval mode, images [B,3,H,W] and a class per sample.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from calm.attribution.record import Attribution
from calm.errors import require
from calm.networks.network import Network

MASKED_IMAGES_PER_PASS = 32


def at_least_float32(features: Tensor) -> Tensor:
    """The features in float32, also under autocast; those of a float64 network stay as they are."""
    return features if features.dtype == torch.float64 else features.float()


class Scorer(nn.Module):
    """Trunk -> ``tap``, an identity whose output is the last feature map -> class scores [B,K].

    It holds functions, not modules, and so has no parameters and no part in the network.
    """

    def __init__(self, read_out: Callable, *, trunk: Callable | None = None) -> None:
        """Put ``tap`` between the two.

        Args:
            read_out: features -> output of a network.
            trunk: images -> features; None where the input is the features already.
        """
        super().__init__()
        self.tap = nn.Identity()
        self.read_out = read_out
        self.trunk = trunk

    def forward(self, inputs: Tensor) -> Tensor:
        """[B,3,H,W] images, or [B,C,h,w] features -> class scores [B,K]: mean_z g, or log p(y|x)."""
        features = self.trunk(inputs) if self.trunk else inputs
        return self.read_out(self.tap(at_least_float32(features))).class_scores


def _extractor(name: str) -> type:
    """A class of torchcam, by its name."""
    require("torchcam", extra="torchcam")
    import torchcam.methods

    return getattr(torchcam.methods, name)


def _weighted_by_gradient(method: str, module: Network, images: Tensor, targets: Tensor) -> Tensor:
    """Grad-CAM and its kin need the gradient at the features only: one forward pass, no backward pass of the trunk."""
    with torch.inference_mode(False), torch.enable_grad():
        with torch.no_grad():
            features = at_least_float32(module.features(images.clone()))
        scorer = Scorer(module.read_out)
        with _extractor(method)(scorer, "tap") as extractor:
            scores = scorer(features.detach().requires_grad_(True))
            return extractor(targets.tolist(), scores, normalized=False)[0]


def gradcam(module: Network, images: Tensor, targets: Tensor) -> Tensor:
    """relu(sum_k a_k A_k), a_k the spatial mean of d score / d A_k (Selvaraju et al., 2017)."""
    return _weighted_by_gradient("GradCAM", module, images, targets)


def gradcam_plus_plus(module: Network, images: Tensor, targets: Tensor) -> Tensor:
    """Grad-CAM with weights from the positive gradients (Chattopadhyay et al., 2017), as torchcam computes them.

    torchcam 0.5 weighs a channel by the sum of its relu(gradient)^3: its division by the paper's denominator of alpha
    goes to a copy and is lost.
    """
    return _weighted_by_gradient("GradCAMpp", module, images, targets)


def layercam(module: Network, images: Tensor, targets: Tensor) -> Tensor:
    """relu(sum_k relu(d score / d A_k) A_k), cell by cell (Jiang et al., 2021)."""
    return _weighted_by_gradient("LayerCAM", module, images, targets)


def _image_by_image(method: str, module: Network, images: Tensor, targets: Tensor, seed: int, **options) -> Tensor:
    """Methods that draw noise: every image has the same draws, whatever batch it comes in."""
    maps = []
    for image, target in zip(images.split(1), targets.tolist()):
        with torch.random.fork_rng(devices=[]):  # torchcam draws on the CPU, also for images on a GPU
            torch.default_generator.manual_seed(seed)
            maps.append(_weighted_by_score(method, module, image, [target], **options))
    return torch.cat(maps)


def _weighted_by_score(method: str, module: Network, images: Tensor, classes: list[int], **options) -> Tensor:
    with torch.inference_mode(False), torch.enable_grad():
        scorer = Scorer(module.read_out, trunk=module.features)
        with _extractor(method)(scorer, "tap", **options) as extractor:
            with torch.no_grad():
                scorer(images.clone())
            return extractor(classes, normalized=False)[0]


def smoothgradcam_plus_plus(
    module: Network,
    images: Tensor,
    targets: Tensor,
    *,
    smoothgradcam_nr_iter: int = 4,
    smoothgradcam_std: float = 0.3,
    seed: int = 0,
) -> Tensor:
    """Grad-CAM++ with derivatives averaged over noisy copies (Omeiza et al., 2019).

    Args:
        module: network in eval mode.
        images: [B,3,H,W].
        targets: [B] class indices.
        smoothgradcam_nr_iter: number of noisy copies.
        smoothgradcam_std: standard deviation of the noise on the normalised image.
        seed: of the noise, the same for every image.
    """
    options = {"num_samples": smoothgradcam_nr_iter, "std": smoothgradcam_std}
    return _image_by_image("SmoothGradCAMpp", module, images, targets, seed, **options)


def scorecam(module: Network, images: Tensor, targets: Tensor) -> Tensor:
    """relu(sum_k a_k A_k), a = softmax of the score's rise when only A_k's place is seen (Wang et al., 2020).

    Takes one forward pass per channel of the features.
    """
    options = {"batch_size": MASKED_IMAGES_PER_PASS}
    return _weighted_by_score("ScoreCAM", module, images, targets.tolist(), **options)


def sscam(
    module: Network, images: Tensor, targets: Tensor, *, sscam_nr_iter: int = 35, sscam_std: float = 2.0, seed: int = 0
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
    """
    options = {"batch_size": MASKED_IMAGES_PER_PASS, "num_samples": sscam_nr_iter, "std": sscam_std}
    return _image_by_image("SSCAM", module, images, targets, seed, **options)


def ablationcam(module: Network, images: Tensor, targets: Tensor) -> Tensor:
    """relu(sum_k a_k A_k), a_k the fall of the score when channel k of the features is zero (Desai et al., 2020).

    The paper divides a_k by the score. A positive score leaves the normalised map as it is, but a log-probability,
    never positive, would turn the map's sign; so nothing is divided here.
    """
    require("captum", extra="captum")
    from captum.attr import FeatureAblation

    with torch.inference_mode(False), torch.no_grad():
        features = at_least_float32(module.features(images.clone()))
        channels = torch.arange(features.shape[1], device=features.device)[None, :, None, None]
        together = max(1, MASKED_IMAGES_PER_PASS // len(targets))
        weights = FeatureAblation(Scorer(module.read_out)).attribute(
            features, target=targets.clone(), feature_mask=channels, perturbations_per_eval=together
        )
        return (weights * features).sum(dim=1).relu()


def times_input_gradients(
    module: nn.Module, images: Tensor, targets: Tensor, steps: int, images_per_pass: int
) -> Tensor:
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
}
