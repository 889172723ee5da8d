from dataclasses import replace

import numpy as np
import pytest

from calm.explanation.figure1 import TITLES, Compared, comparison_figure
from tests.explained import made_up


@pytest.mark.parametrize("with_cue", [True, False])
def test_a_line_per_network_with_both_maps_on_one_scale(with_cue, maps_drawn):
    cue = np.zeros((56, 56), dtype=bool)
    cue[:8, :8] = True
    explanations = [made_up("CAM"), made_up("CALM_EM")]
    compared = Compared(explanations, cue if with_cue else None, ["head"] if with_cue else ())
    figure = comparison_figure([compared], ["CAM", "CALM_EM"])
    assert [axis.get_title() for axis in figure.axes[:4]] == list(TITLES) and len(figure.axes) == 8
    for line, explanation in enumerate(explanations):
        of_a, of_b, difference = (drawn.scale for drawn in maps_drawn[3 * line : 3 * line + 3])
        joint = explanation.output.class_maps[0] if line == 0 else explanation.output.log_joint.exp()[0]
        assert of_a.high == of_b.high == pytest.approx(float(joint[[0, 3]].max()))
        assert of_a.low == of_b.low == pytest.approx(min(0.0, float(joint[[0, 3]].min())))
        largest = float((joint[0] - joint[3]).abs().max())
        assert difference[:2] == pytest.approx((-largest, largest)) and difference.signed
    words = " ".join(text.get_text() for text in figure.texts)
    assert "A  Painted Bunting     B  Summer Tanager" in words
    assert ("differ in head" in words) == ("true cue" in words) == with_cue


def test_pictures_stand_one_below_the_other():
    pictures = [Compared([replace(made_up(), image_id=name)]) for name in ("a", "b", "c")]
    figure = comparison_figure(pictures, ["CALM_EM"])
    heights = [axis.get_position().y0 for axis in figure.axes[::4]]
    assert heights == sorted(heights, reverse=True) and heights[-1] > 0 and len(heights) == 3
