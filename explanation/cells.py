"""Where the cells of a map lie in the picture that it is drawn over."""

from typing import NamedTuple

from torch import Tensor

from calm.attribution.score_map import resize
from calm.networks.network import Network


class Cells(NamedTuple):
    """The centres of a square grid's cells, in shares of the picture's sides: cell i lies at ``first + i * step``."""

    step: float
    first: float

    @classmethod
    def tiles(cls, count: int) -> "Cells":
        """``count`` cells a side that cover the picture."""
        return cls(1 / count, 0.5 / count)

    @classmethod
    def of(cls, network: Network, input_size: int) -> "Cells":
        """Where a network's last features look in an image of ``input_size`` pixels a side."""
        return cls(network.cell_stride / input_size, (network.cell_offset + 0.5) / input_size)

    def box(self, row: int, column: int) -> tuple[float, float, float, float]:
        """x0, y0, x1, y1 of a cell in shares of the sides, cut at the border: as wide as the step, about the centre."""
        middles = (self.first + column * self.step, self.first + row * self.step)
        low, high = (
            [min(max(middle + half, 0.0), 1.0) for middle in middles] for half in (-self.step / 2, self.step / 2)
        )
        return low[0], low[1], high[0], high[1]

    def laid(self, maps: Tensor, size: int | tuple[int, int]) -> Tensor:
        """[B,h,w] -> [B,H,W]: linear between the centres, borders replicated; one number is both sides."""
        side = size if isinstance(size, int) else max(size)
        return resize(resize(maps, side, stride=self.step * side, offset=self.first * side - 0.5), size)
