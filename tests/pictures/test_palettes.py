"""Colours of maps: the palettes are matplotlib's, and an overlay is the picture where the map is zero."""

import matplotlib
import numpy as np
from matplotlib.colors import LinearSegmentedColormap

from calm.pictures.overlay import overlay
from calm.pictures.palettes import DIVERGING, NINE, SEQUENTIAL, coloured


def test_the_palettes_are_what_matplotlib_makes_of_them():
    nine = LinearSegmentedColormap.from_list("nine", [f"#{colour:06x}" for colour in NINE], N=257)
    for ours, theirs in ((SEQUENTIAL, matplotlib.colormaps["viridis"]), (DIVERGING, nine)):
        assert ours.shape == (theirs.N, 3) and ours.dtype == np.uint8
        assert np.abs(ours - 255 * theirs(np.arange(theirs.N))[:, :3]).max() <= 0.51
        shares = np.array([-0.5, 0.0, 0.3, 0.5, 0.999, 1.0, 7.0])
        assert np.abs(coloured(shares, ours) - 255 * theirs(shares)[:, :3]).max() <= 0.51


def test_the_diverging_palette_is_white_at_zero_and_red_above():
    colours = DIVERGING.astype(int)
    assert coloured(np.array(0.5), DIVERGING).tolist() == [255, 255, 255]
    above, below = colours[129:], colours[:128]
    assert (above[:, 0] > above[:, 2]).all() and (below[:, 2] > below[:, 0]).all()


def test_an_overlay_shows_the_picture_at_zero_and_the_palette_s_end_at_one():
    grey = np.full((2, 2, 3), 100, np.uint8)
    seen = overlay(grey, np.array([[0.0, 1.0], [0.0, 0.0]]), opacity=1.0)
    assert seen[0, 1].tolist() == SEQUENTIAL[-1].tolist()
    assert (np.delete(seen.reshape(4, 3), 1, axis=0) == 100).all()
