from dataclasses import replace

import numpy as np
import pytest

from calm.explanation.cells import Cells
from calm.explanation.figure6 import levels_figure
from calm.explanation.levels import Level
from calm.explanation.maps import Question
from tests.explained import made_up

LEVELS = [Level("Painted Bunting", (0,)), Level("bunting", (0, 1, 2)), Level("all classes", tuple(range(6)))]


@pytest.mark.parametrize("method", ["CALM_EM", "CAM"])
def test_a_panel_per_level_from_the_class_to_all(method, maps_drawn):
    explanation = made_up(method)
    line = [(level, replace(explanation, question=Question(0, 3, level.classes))) for level in LEVELS]
    figure = levels_figure([line, line[::2]])
    titles = [axis.get_title().split("\n") for axis in figure.axes]
    assert titles[:4] == [
        ["Input"],
        ["Painted Bunting", "1 class"],
        ["bunting", "3 classes"],
        ["all classes", "6 classes"],
    ]
    assert len(figure.axes) == 4 + 3
    words = [text.get_text() for text in figure.texts]
    sums = [f"sum over z: {explanation.p_y[list(level.classes)].sum():.2f}" for level in LEVELS]
    if method == "CAM":
        assert not any("sum" in text for text in words)
        return
    assert [text for text in words if "sum" in text][:3] == sums
    prior = explanation.output.log_p_z_given_x.exp()[0, 0].numpy()
    assert {round(drawn.scale.high, 6) for drawn in maps_drawn} == {round(float(prior.max()), 6)}
    np.testing.assert_allclose(maps_drawn[2].values, prior, rtol=1e-4, atol=1e-7)
    assert {drawn.cells for drawn in maps_drawn} == {Cells.tiles(7)}
    assert figure.axes[3].images[0].get_array().tolist() == maps_drawn[2].pixels.tolist()
