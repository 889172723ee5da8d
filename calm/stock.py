"""Stock classifiers by name, such as timm:resnet18, and files of them: how they explain themselves."""

from typing import Any

from calm.data_loaders.catalogue import dataset_named
from calm.errors import UserError
from calm.explanation.explainer import Explainer
from calm.networks.network import Network
from calm.networks.stock import published_classifier

IMAGENET_CLASSES = 1000


def stock_explainer(source: str, *, pretrained: bool = True, **others: Any) -> Explainer:
    """An ImageNet classifier of timm or torchvision as a CAM network with its scores.

    Args:
        source: "timm:NAME" or "torchvision:NAME".
        pretrained: with its published weights, from the cache of its hub or by download.
        others: none.

    Raises:
        UserError: there is no such network, or one whose head is more than a mean and a linear layer, or an option
            that would change its scores.
    """
    if others:
        raise UserError(
            f"{source}: its cells and its classes are as they are there; leave `{next(iter(others))}` out, or train a "
            "network on it"
        )
    network = published_classifier(source, pretrained=pretrained)
    return explainer_of_classifier(network, network.usual_size)


def explainer_of_classifier(network: Network, size: int) -> Explainer:
    """What explains images of ``size`` pixels with a stock classifier.

    A thousand classes are ImageNet's, others have numbers for names.
    """
    count = network.num_classes
    names = dataset_named("ImageNet").class_names("dataset/") if count == IMAGENET_CLASSES else map(str, range(count))
    supersets = {index: [index] for index in range(count)}
    return Explainer(network, size, list(names), supersets, f"{network.method} · {network.architecture}")
