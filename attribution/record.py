"""What is known of an attribution: its function, what it reads, and what it needs."""

import inspect
from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

from torch import Tensor


class Attribution(NamedTuple):
    """One attribution. Its options are the keyword-only parameters of its function."""

    function: Callable[..., Tensor]
    """(output, targets [B], *, options) or (network in eval mode, images [B,3,H,W], targets [B], *, options) -> raw
    maps [B,h,w] or [B,H,W]."""
    reads: Literal["output", "images"]
    """Which of the two: one forward pass's output serves every class, images cost passes of their own."""
    kind: Literal["probability", "class map", "gradient"]
    """What its values are."""
    needs_prior: bool = False
    """Whether it is made of CALM's prior p(z|x), which a CAM network does not have."""
    needs_methods: tuple[str, ...] = ()
    """Training methods whose networks alone have it; none: all."""
    image_sized: bool = False
    """Whether its maps are [B,H,W] and may be blurred before they are normalised."""
    title: str = ""
    """Its name in the literature, where that is another."""
    released: tuple[str, ...] = ()
    """Its names in the published code."""

    @property
    def options(self) -> Mapping[str, inspect.Parameter]:
        """Name -> keyword-only parameter of the function."""
        parameters = inspect.signature(self.function).parameters
        return {name: found for name, found in parameters.items() if found.kind is found.KEYWORD_ONLY}

    @property
    def needs_versus(self) -> bool:
        """Whether it compares the target with a second class, which has to be named."""
        versus = self.options.get("versus")
        return versus is not None and versus.default is versus.empty

    @property
    def needs_supersets(self) -> bool:
        """Whether it adds up the classes that share their parts."""
        return "supersets" in self.options
