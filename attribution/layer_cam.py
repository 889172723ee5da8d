"""Grad-CAM, Grad-CAM++, Smooth Grad-CAM++ and Layer-CAM: maps [B,h,w] from features and the score's gradient there.

``layers`` names one or several modules of the network; without it the last features are taken. The maps of several
layers are enlarged to the finest of their grids, scaled by tanh and fused by their maximum (Layer-CAM's paper).
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from calm.attribution.copies import Noise, passes, seeded_noise
from calm.attribution.layer_gradients import LayerGradient, last_layer_gradient, layer_gradients
from calm.attribution.score_map import resize
from calm.networks.network import Network

IMAGES_PER_PASS = 8
"""Noisy copies are joined into passes of at most this many images."""
TANH_FACTOR = 2.0
"""gamma of tanh(gamma M / max M), Layer-CAM's scaling."""


def gradcam_map(features: Tensor, gradient: Tensor) -> Tensor:
    """relu(sum_k a_k A_k), a_k the mean of dS/dA_k over the cells (Selvaraju et al., 2017)."""
    return (gradient.mean(dim=(2, 3), keepdim=True) * features).sum(dim=1).relu()


def gradcam_plus_plus_weights(features: Tensor, gradient: Tensor) -> Tensor:
    """w_k = sum_ij alpha_ij relu(g_ij), [B,C]; alpha = g^2 / (2 g^2 + (sum_ab A_ab) g^3), 0 where g = 0.

    The second and third derivatives of exp(S) are exp(S) g^2 and exp(S) g^3, and exp(S) cancels (Chattopadhyay et
    al., 2018). Computed as 1 / (2 + (sum_ab A_ab) g), the same without squares that underflow.

    Args:
        features: A, [B,C,h,w].
        gradient: g = dS/dA, [B,C,h,w].
    """
    below = 2 + features.sum(dim=(2, 3), keepdim=True) * gradient
    usable = (gradient > 0) & (below != 0)
    alpha = torch.where(usable, 1 / torch.where(usable, below, torch.ones_like(below)), torch.zeros_like(below))
    return (alpha * gradient.relu()).sum(dim=(2, 3))


def gradcam_plus_plus_map(features: Tensor, gradient: Tensor) -> Tensor:
    """relu(sum_k w_k A_k) with the weights of ``gradcam_plus_plus_weights``."""
    weights = gradcam_plus_plus_weights(features, gradient)
    return (weights[:, :, None, None] * features).sum(dim=1).relu()


def layercam_map(features: Tensor, gradient: Tensor) -> Tensor:
    """relu(sum_k relu(dS/dA_k) A_k), cell by cell (Jiang et al., 2021)."""
    return (gradient.relu() * features).sum(dim=1).relu()


def fuse(maps: Sequence[Tensor]) -> Tensor:
    """Maps [B,h_i,w_i] of at least 0 -> [B,h,w] of the finest grid.

    One map stays as it is. Several are enlarged, scaled to tanh(2 M / max M) each and image by image (a map of zeros
    stays one), and their maximum is taken.
    """
    if len(maps) == 1:
        return maps[0]
    size = max(maps, key=lambda map_: map_[0].numel()).shape[1:]
    return torch.stack([_tanh_scaled(resize(map_, size)) for map_ in maps]).amax(dim=0)


def _tanh_scaled(maps: Tensor) -> Tensor:
    high = maps.amax(dim=(1, 2), keepdim=True)
    return torch.tanh(TANH_FACTOR * maps / torch.where(high > 0, high, torch.ones_like(high)))


def layer_names(layers: str | Sequence[str]) -> list[str]:
    """ "layer3,layer4" or a list -> names."""
    names = layers.split(",") if isinstance(layers, str) else layers
    return [name.strip() for name in names if name.strip()]


def _mapped(
    of_layer: Callable[[Tensor, Tensor], Tensor],
    module: Network,
    images: Tensor,
    targets: Tensor,
    layers: str | Sequence[str] | None,
) -> Tensor:
    found: list[LayerGradient]
    if names := layer_names(layers or ()):
        found = layer_gradients(module, images, targets, names)
    else:
        found = [last_layer_gradient(module, images, targets)]
    return fuse([of_layer(*layer) for layer in found])


def gradcam(module: Network, images: Tensor, targets: Tensor, *, layers: str | Sequence[str] | None = None) -> Tensor:
    """Grad-CAM; ``layers`` as in the module's text."""
    return _mapped(gradcam_map, module, images, targets, layers)


def gradcam_plus_plus(
    module: Network, images: Tensor, targets: Tensor, *, layers: str | Sequence[str] | None = None
) -> Tensor:
    """Grad-CAM++; ``layers`` as in the module's text."""
    return _mapped(gradcam_plus_plus_map, module, images, targets, layers)


def layercam(module: Network, images: Tensor, targets: Tensor, *, layers: str | Sequence[str] | None = None) -> Tensor:
    """Layer-CAM; ``layers`` as in the module's text."""
    return _mapped(layercam_map, module, images, targets, layers)


def smoothgradcam_plus_plus(
    module: Network,
    images: Tensor,
    targets: Tensor,
    *,
    smoothgradcam_nr_iter: int = 4,
    smoothgradcam_std: float = 0.3,
    seed: int = 0,
    noise: Noise | None = None,
    eval_batch_size: int | None = None,
    layers: str | Sequence[str] | None = None,
) -> Tensor:
    """Mean of the Grad-CAM++ map over noisy copies of the image (Omeiza et al., 2019).

    Args:
        module: network in eval mode.
        images: [B,3,H,W].
        targets: [B] class indices.
        smoothgradcam_nr_iter: number of noisy copies.
        smoothgradcam_std: standard deviation of the noise on the normalised image.
        seed: of the noise; all images of a batch share their k-th draw, so that a map does not depend on its batch.
        noise: (k, shape [B,3,H,W]) -> the k-th standard normal draw, instead of the seeded one.
        eval_batch_size: images of a pass, 8 without it.
        layers: as in the module's text.
    """
    draw = noise or seeded_noise(seed, images.device)
    copies = (
        images + smoothgradcam_std * torch.as_tensor(draw(k, images.shape)).to(images)
        for k in range(smoothgradcam_nr_iter)
    )
    total = torch.zeros((), device=images.device)
    for group, classes in passes(copies, targets, eval_batch_size or IMAGES_PER_PASS):
        for maps in gradcam_plus_plus(module, group, classes, layers=layers).split(len(targets)):
            total = total + maps
    return total / smoothgradcam_nr_iter
