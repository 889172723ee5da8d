"""Any classifier that is no network of ours, images -> logits: what gradient maps and the CAM family need of one."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from calm.attribution.layer_gradients import outputs_of
from calm.errors import UserError


class LogitsOutput(NamedTuple):
    """A classifier's output: logits alone, no maps."""

    logits: Tensor
    """[B,K]."""

    has_prior = False

    @property
    def class_scores(self) -> Tensor:
        """The logits, [B,K]."""
        return self.logits

    @property
    def log_p_y(self) -> Tensor:
        """log softmax of the logits, [B,K]."""
        return self.logits.log_softmax(dim=1)

    def score_of(self, targets: Tensor) -> Tensor:
        """The logit of one class per sample, [B]; differentiable."""
        return self.logits.gather(1, targets[:, None]).squeeze(1)


class PlainModule:
    """A module with the face of a ``Network``; its last features are the output of one layer, its own by default."""

    head_layers: tuple[str, ...] = ()

    def __init__(self, module: nn.Module, layer: str | None = None, *, highest_class: int = 0) -> None:
        self._module, self._layer, self._highest = module, layer, highest_class

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)

    def __call__(self, images: Tensor) -> Any:
        """LogitsOutput, or the module's own output where it is like a network's.

        Raises:
            UserError: the module gives no logits, or none of a class that is asked for.
        """
        given = self._module(images)
        if hasattr(given, "class_scores"):
            return given
        logits = getattr(given, "logits", given)
        if not isinstance(logits, Tensor) or logits.ndim != 2:
            what = list(logits.shape) if isinstance(logits, Tensor) else f"a {type(given).__name__}"
            raise UserError(f"`network` gives {what} for images [B,3,H,W], where logits [B,K] should be")
        if (count := logits.shape[1]) <= self._highest:
            raise UserError(
                f"`targets` or `versus` has class {self._highest}, but class indices go from 0 to {count - 1}"
            )
        return LogitsOutput(logits)

    def features(self, images: Tensor) -> Tensor:
        """[B,C,h,w] of the layer."""
        layer = self._layer or self.last_map_layer(images)
        with outputs_of(self._module, [layer]) as outputs:
            self._module(images)
        found = outputs[layer]
        if len(found) != 1 or not isinstance(found[0], Tensor) or found[0].ndim != 4:
            raise UserError(f"`layers`={layer} should be one layer that runs once and gives features [B,C,h,w]")
        return found[0]

    def read_out(self, features: Tensor, *, images: Tensor) -> Any:
        """The output where the layer gives other features; the whole module runs."""
        layer = self._layer or self.last_map_layer(images)

        def replace(*_: Any) -> Tensor:
            return features

        hook = self._module.get_submodule(layer).register_forward_hook(replace)
        try:
            return self(images)
        finally:
            hook.remove()

    @torch.no_grad()
    def last_map_layer(self, images: Tensor) -> str:
        """Name of the last layer, by the order in which layers end, that gives a map of several cells.

        Raises:
            UserError: none does.
        """
        last: list[str] = []

        def look(name: str) -> Callable[..., None]:
            def hook(module: nn.Module, inputs: Any, output: Any) -> None:
                if isinstance(output, Tensor) and output.ndim == 4 and min(output.shape[2:]) > 1:
                    last.append(name)

            return hook

        hooks = [part.register_forward_hook(look(name)) for name, part in self._module.named_modules() if name]
        try:
            self._module(images[:1])
        finally:
            for hook in hooks:
                hook.remove()
        if not last:
            raise UserError("`network` has no layer with a feature map [B,C,h,w]: name one with `layers`")
        self._layer = last[-1]
        return last[-1]
