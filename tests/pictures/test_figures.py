"""Pictures of maps: class names stay clear of each other."""

from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from calm.evaluation.pixel_perturb import pictures as perturbation_pictures
from calm.evaluation.wsol import pictures as localisation_pictures
from calm.explanation import map_sheet
from calm.explanation.answers import Answers, sure_and_one_mistake
from calm.pictures.figures import METADATA, as_written, save_figure
from tests.tiny_networks import tiny_network

NAME = "Yellow_backed_Spotted_white_breasted_Thrush"
SIZE = 32


class Birds:
    """Twelve grey images of three classes with long names."""

    class_names = (NAME, NAME, NAME)

    def __len__(self) -> int:
        return 12

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int, int]:
        return torch.zeros(3, SIZE, SIZE), index % 3, index


def draw_map_sheet(path) -> None:
    indices = torch.arange(12)
    answers = Answers(indices, indices % 3, torch.where(indices == 4, 0, indices % 3), torch.linspace(0.9, 0.1, 12))
    cpu = torch.device("cpu")
    network = tiny_network("CALM_EM", num_classes=3)
    map_sheet.save_map_sheet(path, network, Birds(), answers, device=cpu, cue=lambda *_: np.eye(SIZE, dtype=bool))


def draw_erased(path) -> None:
    images, keys = torch.zeros(3, 3, SIZE, SIZE), torch.zeros(3, 4, dtype=torch.int64)
    perturbation_pictures.save_samples(
        path,
        images,
        torch.rand(3, 4, 4),
        keys,
        lambda erased: torch.ones(len(erased)),
        erase="zero",
        percentages=(10, 50),
        mean=(0.5,) * 3,
        std=(0.2,) * 3,
        names=[NAME.replace("_", " ")] * 3,
    )


def draw_boxes(path) -> None:
    score_map, box = np.ones((SIZE, SIZE), np.float32), np.array([2, 2, 20, 20])
    sample = localisation_pictures.Sample(NAME.replace("_", " "), None, score_map, box[None], box, None)
    localisation_pictures.save_samples(path, [sample] * 8, title="SynthBirds: joint")


def test_an_image_of_many_boxes_is_drawn_in_few_strokes(tmp_path):
    score_map, boxes = np.ones((SIZE, SIZE), np.float32), np.array([[2, 2, 20, 20], [0, 0, 9, 31], [5, 5, 5, 5]])
    for name, count in (("few", 1), ("many", 20_000)):
        sample = localisation_pictures.Sample("bird", None, score_map, np.tile(boxes, (count, 1)), boxes[0], None)
        localisation_pictures.save_samples(tmp_path / f"{name}.png", [sample], title="SynthBirds: joint")
    assert (tmp_path / "few.png").read_bytes() == (tmp_path / "many.png").read_bytes()


@pytest.mark.parametrize("draw", [draw_map_sheet, draw_erased, draw_boxes])
def test_names_are_whole_and_apart(draw, tmp_path, monkeypatch):
    drawn = SimpleNamespace()
    for module in (map_sheet, localisation_pictures, perturbation_pictures):
        monkeypatch.setattr(module, "save_figure", lambda figure, path: setattr(drawn, "figure", figure))
    draw(tmp_path / "sheet.png")
    FigureCanvasAgg(drawn.figure).draw()
    titles = [axis.title for axis in drawn.figure.axes if axis.title.get_text()]
    assert any("Spotted white breasted Thrush" in title.get_text().replace("\n", " ") for title in titles)
    rows = {}
    for title in titles:
        rows.setdefault(round(title.get_window_extent().y0), []).append(title.get_window_extent())
    for boxes in rows.values():
        boxes.sort(key=lambda box: box.x0)
        assert all(left.x1 <= right.x0 for left, right in pairwise(boxes))


def test_the_surest_answer_of_each_class_and_the_surest_mistake_are_shown():
    targets = torch.tensor([0, 0, 1, 1, 2, 2, 2])
    predicted = torch.tensor([0, 0, 1, 0, 1, 2, 2])
    p = torch.tensor([0.3, 0.9, 0.4, 0.6, 0.7, 0.5, 0.2])
    answers = Answers(torch.arange(7) + 10, targets, predicted, p)
    assert sure_and_one_mistake(answers, 4) == [1, 2, 5, 4]
    assert sure_and_one_mistake(answers, 3) == [1, 5, 4]
    assert sure_and_one_mistake(answers, 6) == [1, 2, 5, 0, 6, 4]
    right = Answers(*(field[[1, 2]] for field in answers))
    assert sure_and_one_mistake(right, 4) == [0, 1]
    assert len(Answers.joined([answers, right]).p) == 9 and not len(Answers.joined([]).p)


@pytest.mark.parametrize("suffix", ["png", "pdf"])
def test_a_figure_s_file_says_nothing_of_when_and_with_what_it_was_made(suffix, tmp_path, recwarn):
    figure = Figure(figsize=(1, 1))
    figure.text(0.5, 0.5, "words")
    save_figure(figure, tmp_path / f"figure.{suffix}")
    content = (tmp_path / f"figure.{suffix}").read_bytes()
    assert b"CreationDate" not in content and b"Software" not in content
    assert not recwarn.list


def test_a_figure_that_is_drawn_once_has_the_margins_of_one_drawn_twice(tmp_path):
    def figure() -> Figure:
        drawn = Figure(figsize=(4, 3))
        axes = drawn.subplots(1, 2)
        bar = drawn.colorbar(
            axes[0].imshow(np.linspace(0, 3e-7, 64).reshape(8, 8)), ax=axes[0], orientation="horizontal"
        )
        bar.set_label("probability of a place")
        axes[1].set_title(NAME, loc="left")
        axes[1].plot([1e5, 3e5], [-2, 40])
        return as_written(drawn)

    save_figure(figure(), tmp_path / "once.png", dpi=130)
    figure().savefig(tmp_path / "twice.png", dpi=130, bbox_inches="tight", metadata=METADATA[".png"])
    assert (tmp_path / "once.png").read_bytes() == (tmp_path / "twice.png").read_bytes()
