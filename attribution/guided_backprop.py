"""Guided backpropagation (Springenberg et al., 2015) and Guided Grad-CAM (Selvaraju et al., 2017), [B,H,W].

Both follow the image more than the class: with another target or with random upper layers their maps change little
(Adebayo et al., 2018).
"""

import torch
from torch import Tensor

from calm.attribution.class_score import image_gradient
from calm.attribution.layer_cam import gradcam
from calm.attribution.score_map import resize
from calm.networks.guided_relu import GuidedReLU
from calm.networks.network import Network


def guided_gradient(module: Network, images: Tensor, targets: Tensor) -> Tensor:
    """d score / d image with the guided rule at every ReLU, signed, [B,3,H,W].

    Raises:
        UserError: for a network with other activations than ReLU and ReLU6.
    """
    with GuidedReLU():
        return image_gradient(module, images, targets)


def guided_backprop(module: Network, images: Tensor, targets: Tensor) -> Tensor:
    """max over RGB of |guided gradient|."""
    return guided_gradient(module, images, targets).abs().amax(dim=1)


def times_map(gradients: Tensor, maps: Tensor) -> Tensor:
    """max over RGB of |gradient [B,3,H,W] * map [B,h,w] enlarged to the images' size|, [B,H,W]."""
    return (gradients * resize(maps, gradients.shape[2:])[:, None]).abs().amax(dim=1)


def guided_gradcam(module: Network, images: Tensor, targets: Tensor) -> Tensor:
    """max over RGB of |guided gradient * Grad-CAM|."""
    with torch.no_grad():
        maps = gradcam(module, images, targets)
    return times_map(guided_gradient(module, images, targets), maps)
