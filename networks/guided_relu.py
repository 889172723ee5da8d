"""ReLUs with the backward rule of guided backpropagation, for the time of a forward pass.

The rule holds for every ReLU and ReLU6, be it a module, a function or in place, and however often a module is used:
calls are caught on their way to torch, and the network itself is not touched.
"""

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from calm.errors import UserError

_RELU = {F.relu, torch.relu, Tensor.relu}
_RELU_IN_PLACE = {F.relu_, torch.relu_, Tensor.relu_}
_OTHERS = {
    getattr(F, name)
    for name in (
        "silu gelu elu elu_ selu selu_ celu celu_ leaky_relu leaky_relu_ rrelu rrelu_ prelu mish hardswish hardtanh "
        "hardtanh_ glu threshold threshold_ hardshrink softshrink tanhshrink"
    ).split()
}


class _Rectify(torch.autograd.Function):
    """min(max(x, 0), ceiling); its backward pass asks ``rule`` when it runs. It can be differentiated again."""

    @staticmethod
    def forward(ctx, x: Tensor, ceiling: float, rule: "GuidedReLU") -> Tensor:
        ctx.save_for_backward((x > 0) & (x < ceiling))
        ctx.rule = rule
        return x.clamp(0, ceiling)

    @staticmethod
    def backward(ctx, *grads: Tensor) -> tuple[Tensor, None, None]:
        (is_open,) = ctx.saved_tensors
        (grad,) = grads
        if ctx.rule.guided:
            grad = torch.where(grad > 0, grad, torch.zeros_like(grad))
        return torch.where(is_open, grad, torch.zeros_like(grad)), None, None


class GuidedReLU(TorchFunctionMode):
    """Within it ReLUs pass a gradient only where input and gradient are both positive (Springenberg et al., 2015).

    ``guided`` decides when a backward pass *runs*, inside or outside: set to False the same forward pass gives the
    ordinary gradient. Another activation is refused, since the rule says nothing of it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.guided = True

    def __torch_function__(self, func, types, args=(), kwargs=None):
        """Replace ReLUs; every other call goes on as it is.

        Raises:
            UserError: for an activation function that is neither ReLU nor ReLU6.
        """
        kwargs = kwargs or {}
        if func in _RELU:
            return self._rectified(float("inf"), *args, **kwargs)
        if func in _RELU_IN_PLACE:
            return self._rectified(float("inf"), *args, inplace=True, **kwargs)
        if func is F.relu6:
            return self._rectified(6.0, *args, **kwargs)
        if func is F.hardtanh and kwargs.get("min_val") == 0:  # how nn.ReLU6 calls it
            return self._rectified(kwargs["max_val"], *args, inplace=kwargs["inplace"])
        if func in _OTHERS:
            raise UserError(
                f"guided backpropagation is defined for ReLU and ReLU6, and this network uses {func.__name__}: "
                "choose a network with ReLUs"
            )
        return func(*args, **kwargs)

    def _rectified(self, ceiling: float, input: Tensor, inplace: bool = False) -> Tensor:
        rectified = _Rectify.apply(input, ceiling, self)
        return input.copy_(rectified) if inplace else rectified
