"""First weights of the convolutions and batch norms that no published file fills."""

from collections.abc import Callable

from torch import Tensor, nn


def he_fan_out(weight: Tensor) -> None:
    """He's normal initialisation over the outputs, for a layer followed by ReLU."""
    nn.init.kaiming_normal_(weight, mode="fan_out", nonlinearity="relu")


def initialise(module: nn.Module, convolution: Callable[[Tensor], object] = nn.init.xavier_uniform_) -> None:
    """Draw every convolution's weight in place with ``convolution``; biases 0, batch norms 1 and 0."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            convolution(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        elif isinstance(layer, nn.BatchNorm2d):
            nn.init.ones_(layer.weight)
            nn.init.zeros_(layer.bias)
