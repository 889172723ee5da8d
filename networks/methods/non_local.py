"""Non-local attention (Wang, Girshick, Gupta and He, CVPR 2018): every cell looks at all others."""

from torch import Tensor, nn


class NonLocalBlock(nn.Module):
    """x + W softmax(theta(x)^T phi(x)) g(x), all 1x1 convolutions, C/2 channels inside (Wang et al., CVPR 2018)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        inside = max(channels // 2, 1)
        self.theta, self.phi, self.g = (nn.Conv2d(channels, inside, 1) for _ in range(3))
        self.out = nn.Conv2d(inside, channels, 1)
        self.begin_as_identity()

    def begin_as_identity(self) -> None:
        """W = 0."""
        for parameter in self.out.parameters():
            nn.init.zeros_(parameter)

    def forward(self, features: Tensor) -> Tensor:
        """[B,C,h,w] -> [B,C,h,w]; memory for (hw)^2 numbers an image."""
        theta, phi, g = (layer(features).flatten(2) for layer in (self.theta, self.phi, self.g))
        weights = (theta.mT @ phi).softmax(dim=2)  # [B,i,j]
        return features + self.out((g @ weights.mT).unflatten(2, features.shape[2:]))
