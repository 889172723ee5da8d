"""The two palettes, as tables of colours: values without a sign, and values on both sides of zero."""

import cv2
import numpy as np

NINE = (0x053061, 0x2166AC, 0x4393C3, 0x92C5DE, 0xFFFFFF, 0xF4A582, 0xD6604D, 0xB2182B, 0x67001F)
"""From blue over white to red, at even steps; RGB."""


def _between(colours: tuple[int, ...], count: int) -> np.ndarray:
    """[count,3] uint8, linear between ``colours`` at even steps."""
    channels = np.array([[colour >> 16, colour >> 8 & 255, colour & 255] for colour in colours])
    places = np.linspace(0, len(colours) - 1, count)
    return np.stack([np.interp(places, range(len(colours)), channel) for channel in channels.T], 1).round().astype("u1")


SEQUENTIAL = cv2.applyColorMap(np.arange(256, dtype=np.uint8)[:, None], cv2.COLORMAP_VIRIDIS)[:, 0, ::-1]
"""[256,3] uint8, RGB: viridis. Safe for colour-vision deficiencies, as is the other."""
DIVERGING = _between(NINE, 257)
"""[257,3]: red above zero, blue below, zero exactly white: an odd number of colours has a middle one."""


def coloured(shares: np.ndarray, palette: np.ndarray) -> np.ndarray:
    """[...] -> [...,3] uint8: 0 is the palette's first colour and 1 its last; what lies outside has that of its end."""
    index = (shares * len(palette)).astype(np.intp)
    return palette[np.clip(index, 0, len(palette) - 1)]
