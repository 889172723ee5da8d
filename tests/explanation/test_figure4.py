"""Figure 4: maps of two classes, their scale, their average precision, and the words around them."""

from itertools import combinations

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image
from sklearn.metrics import average_precision_score

from calm.explanation.explainer import Explainer
from calm.explanation.figure4 import (
    BASELINES,
    Attributed,
    Contrast,
    all_attributed,
    average_precision,
    counterfactual_map,
    counterfactuals_figure,
    scale_of,
)
from calm.explanation.map_picture import enlarge
from calm.explanation.shown import Run
from tests.tiny_networks import tiny_batch, tiny_network

TITLES = [*BASELINES, "CAM", "CALM_ML, softplus prior", "CALM_EM, softplus prior", "CALM_EM, ReLU prior"]


def contrast(maps, picture=None):
    cue = np.zeros((64, 64), dtype=bool)
    cue[:16, :16] = True
    return Contrast(picture or Image.new("RGB", (64, 64), "white"), cue, "Jay", "Crow", ["head", "leg", "wing"], maps)


def run_of(method, alignment="grid"):
    network = tiny_network(method)
    explainer = Explainer(network, 12, [f"class {k}" for k in range(5)], {}, "tiny", alignment)
    return Run(network, None, explainer, method, "a")


def test_the_baselines_of_the_first_network_come_before_each_network_s_own_map():
    runs = {"CAM": run_of("CAM"), "b": run_of("CALM_ML"), "c": run_of("CALM_EM")}
    explained = all_attributed(runs)
    assert list(explained) == [*BASELINES, "CAM", "b", "c"]
    assert [one.attribution for one in explained.values()] == [*BASELINES.values(), "cam", "joint", "joint"]
    assert [one.run for one in explained.values()] == [runs["CAM"]] * 4 + list(runs.values())


@pytest.mark.parametrize("alignment", ["grid", "receptive_field"])
def test_counterfactual_map_is_the_difference_of_the_two_classes(alignment):
    run, (images, _) = run_of("CALM_EM", alignment), tiny_batch()
    joint = run.network(images[:1]).log_joint.exp()[0].detach()
    places = (np.arange(12) / 2 - (0.25 if alignment == "grid" else 0.0)).clip(
        0, 5
    )  # cells look at pixels 0, 2, 4, ...
    weights = np.maximum(0, 1 - np.abs(places[:, None] - np.arange(6)))
    expected = weights @ (joint[3] - joint[1]).numpy() @ weights.T
    ours = counterfactual_map(Attributed(run, "joint"), images[0], 3, 1)
    np.testing.assert_allclose(ours, expected, rtol=1e-3, atol=1e-6)
    gradient = counterfactual_map(Attributed(run, "gradient"), images[0], 3, 1)
    assert gradient.shape == (12, 12)


def test_without_a_known_cue_there_is_neither_outline_nor_number():
    figure = counterfactuals_figure([contrast({"M": np.eye(64)})._replace(cue=None, parts=())], "M")
    assert [axis.get_title() for axis in figure.axes[:2]] == ["Input", "M"] and not figure.axes[1].texts
    words = " ".join(text.get_text() for text in figure.texts)
    assert "cue" not in words and "differ" not in words


def test_the_figure_says_which_maps_its_numbers_are_of():
    figure = counterfactuals_figure([contrast({title: np.eye(64) for title in TITLES})], "CAM")
    words = " ".join(" ".join(text.get_text() for text in figure.texts).split())
    assert ", of raw maps (integrated gradients as released): red speaks for A" in words


def test_average_precision_is_scikit_learn_s():
    rng = np.random.default_rng(0)
    values, cue = rng.standard_normal((7, 7)), rng.random((20, 20)) < 0.2
    expected = average_precision_score(cue.ravel(), np.abs(enlarge(values, 20)).ravel())
    assert average_precision(values, cue) == pytest.approx(100 * expected, abs=1e-4)


def test_an_extreme_pixel_does_not_end_the_scale():
    values = np.random.default_rng(0).uniform(-1, 1, (64, 64))
    values[5, 5] = -1000.0
    assert 0.98 < scale_of(values) < 1.0
    alone = np.zeros((64, 64))
    alone[5, 5] = -3.0
    assert scale_of(alone) == 3.0
    assert scale_of(np.zeros((64, 64))) == 1.0


def test_zero_is_white_positive_red_negative_blue(maps_drawn):
    values = np.zeros((4, 4))
    values[0, 0], values[3, 3] = 1.0, -1.0
    figure = counterfactuals_figure([contrast({"M": values})], "M")
    (drawn,) = maps_drawn
    assert drawn.scale.low == -drawn.scale.high
    shown = np.asarray(figure.axes[2].images[0].get_array()).astype(int)
    assert (shown[168:280, 168:280] >= 252).all()
    assert shown[0, 0, 0] > 1.5 * shown[0, 0, 2] and shown[-1, -1, 2] > 1.5 * shown[-1, -1, 0]


def test_a_black_picture_is_pale_under_a_map():
    figure = counterfactuals_figure([contrast({"M": np.zeros((4, 4))}, Image.new("RGB", (64, 64)))], "M")
    assert (figure.axes[2].images[0].get_array() > 0.9 * 255).all()


def test_the_figure_says_whose_maps_the_baselines_are():
    rng = np.random.default_rng(0)
    rows = [contrast({title: rng.standard_normal((8, 8)) for title in TITLES}) for _ in range(2)]
    figure = counterfactuals_figure(rows, "CAM")
    (line,) = figure.artists
    panels = [axis.get_position() for axis in figure.axes]
    assert line.get_xdata() == pytest.approx([panels[2].x0, panels[2 + TITLES.index("CAM")].x1])
    words = " ".join(text.get_text() for text in figure.texts)
    assert "maps of the CAM network" in words and "99.5th percentile" in words
    assert words.count("A  Jay     B  Crow     differ in head, leg and wing") == 2
    assert [label.get_text() for label in figure.axes[-1].get_xticklabels()] == ["for B", "0", "for A"]


@pytest.mark.parametrize("count", [2, 8])
def test_words_are_apart(count):
    maps = {title: np.eye(4) for title in TITLES[-count:]}
    figure = counterfactuals_figure([contrast(maps), contrast(maps)], TITLES[-count])
    FigureCanvasAgg(figure).draw()
    texts = [*figure.texts, *(axis.title for axis in figure.axes), *figure.axes[-1].get_xticklabels()]
    boxes = [text.get_window_extent() for text in texts if text.get_text()]
    assert not [pair for pair in combinations(boxes, 2) if pair[0].overlaps(pair[1])]
