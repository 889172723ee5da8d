"""The choices that change a trunk's layers."""

from dataclasses import dataclass

from calm.errors import UserError

INCEPTION_TAPS = ("mixed_6d", "mixed_6e")


@dataclass(frozen=True)
class TrunkOptions:
    """Every trunk takes all of them; one that has no use for an option is the same with and without it."""

    large_feature_map: bool = False
    """Features at stride 8 (28x28 for 224 pixels) instead of 16 (14x14)."""
    use_bn: bool = False
    """Batch norm in vgg16, and in the A3 blocks of inception_v3."""
    inception_tap: str = "mixed_6e"
    """The block of inception_v3 that feeds A3_1b; the released code takes mixed_6d and drops mixed_6e."""

    head_dropout: float = 0.0
    """Share of the values before each of inception_v3's last three convolutions that is dropped in training."""
    image_size: int | None = None
    """Side of the square images in pixels, for trunks with position embeddings or windows; None for a trunk's own."""
    layout: str = ""
    """"acol" or "spg": the layers of vgg16 and inception_v3 that these methods stand on; "" for all others."""

    def __post_init__(self) -> None:
        if self.inception_tap not in INCEPTION_TAPS:
            raise UserError(f"`inception_tap` {self.inception_tap!r} is unknown: choose {' or '.join(INCEPTION_TAPS)}")
        if not 0 <= self.head_dropout < 1:
            raise UserError(f"`head_dropout`={self.head_dropout} should lie in [0, 1)")
