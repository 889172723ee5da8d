"""explain.py: from the command line to the files, and the parts of ``explanation`` below the page."""

import json
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

import errors
import explain
from attribution import build_attribution
from data_loaders.classes import display_name
from data_loaders.transforms import to_tensor
from errors import UserError, run
from explanation.encode import STATED_BOUND, encode_conditional, log2_conditional
from explanation.figure import explain_figure
from explanation.kinds import CALM_KINDS, sentence, subset_in_words, value_in_words
from explanation.maps import Question
from explanation.page import encode
from explanation.palettes import DIVERGING, table
from explanation.questions import Ask, find_class, find_classes
from networks import build_network, load_network
from tests.explained import made_up, made_up_picture

SIZE = 48
NAMES = ["001.Painted_Bunting", "002.Indigo_Bunting", "003.Summer_Tanager", "004.Least_Tern"]


def save_checkpoint(folder: Path, method: str) -> Path:
    """A checkpoint of an untrained network with four classes."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = build_network("resnet18", method, len(NAMES), large_feature_map=True)
    config = {
        "architecture": "resnet18", "attribution_method": method, "large_feature_map": True, "use_bn": False,
        "dataset_name": "SynthBirds", "crop_size": SIZE, "resize_size": SIZE, "prior_activation": "softplus",
        "detach_prior_sum": False, "inception_tap": "mixed_6e",
    }  # fmt: skip
    content = {"architecture": "resnet18", "state_dict": network.state_dict(), "config": config, "class_names": NAMES}
    folder.mkdir()
    torch.save(content, folder / "last_checkpoint.pth.tar")
    return folder


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory) -> Path:
    """Folder with run folders CALM_EM and CAM."""
    folder = tmp_path_factory.mktemp("save")
    for method in ("CALM_EM", "CAM"):
        save_checkpoint(folder / method, method)
    return folder


@pytest.fixture(scope="module")
def picture(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("pictures") / "bird.png"
    made_up_picture().save(path)
    return path


def one_line(arguments: list, capsys) -> str:
    """Run explain.py, which must refuse with exit code 2, and return its one sentence."""
    assert run(lambda: explain.main([str(word) for word in arguments])) == 2
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    return message


def test_one_image(checkpoints, picture, tmp_path):
    arguments = [picture, f"--load_checkpoint={checkpoints / 'CALM_EM'}", "--versus=indigo bunting"]
    explain.main([*map(str, arguments), "--target=2", "--subset=0,Summer Tanager", f"--out={tmp_path}"])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bird.npz", "bird.png", "explanations.jsonl", "index.html"]
    network, _ = load_network(checkpoints / "CALM_EM")
    pixels = Image.open(picture).convert("RGB").resize((SIZE, SIZE), Image.Resampling.BILINEAR)
    images = to_tensor(pixels, network.mean, network.std)[None]
    stored = np.load(tmp_path / "bird.npz")
    options = {"versus": 1, "supersets": {2: [0, 2]}}
    for name in CALM_KINDS:
        wanted = {"counterfactual": {"versus": 1}, "subset": {"supersets": options["supersets"]}}.get(name, {})
        expected = build_attribution(name, **wanted)(network, images, torch.tensor([2]))[0]
        np.testing.assert_allclose(stored[name], expected.numpy(), rtol=1e-5, err_msg=name)
    line = json.loads((tmp_path / "explanations.jsonl").read_text())
    joint, row, column = stored["joint"], line["peak"]["row"], line["peak"]["column"]
    assert joint[row, column] == joint.max() == pytest.approx(line["peak"]["value"])
    assert line["p_y"] == pytest.approx(joint.sum(), rel=1e-5)
    assert line["peak"]["share"] == pytest.approx(joint.max() / joint.sum(), rel=1e-5)
    assert line["peak"]["box"] == pytest.approx([20 * column, 15 * row, 20 * (column + 1), 15 * (row + 1)])
    probabilities = [entry["p"] for entry in line["top5"]]
    assert probabilities == sorted(probabilities, reverse=True) and sum(probabilities) == pytest.approx(1)
    assert (line["target"], line["versus"], line["subset"]) == (NAMES[2], NAMES[1], [NAMES[0], NAMES[2]])


def test_results_go_to_the_run_folder_and_a_folder_makes_a_gallery(checkpoints, picture, tmp_path):
    for name in ("a/bird.png", "b/bird.png"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(picture.read_bytes())
    explain.main([str(tmp_path), "--load_checkpoint=CAM", f"--save_root={checkpoints}"])
    out = checkpoints / "CAM" / "results" / "explain"
    assert {p.name for p in out.glob("*.html")} == {"index.html", "bird.html", "bird_2.html"}
    assert len((out / "explanations.jsonl").read_text().splitlines()) == 2
    gallery = (out / "index.html").read_text()
    assert '"bird_2.html"' in gallery and "://" not in gallery
    stored = np.load(out / "bird.npz")
    assert {"cam", "cam-saliency", "cam-subset", "counterfactual"} <= set(stored.files)
    network, _ = load_network(checkpoints / "CAM")
    pixels = Image.open(picture).resize((SIZE, SIZE), Image.Resampling.BILINEAR)
    maps = network(to_tensor(pixels, network.mean, network.std)[None]).class_maps[0].detach().numpy()
    expected = maps[stored["target"]] - maps[stored["versus"]]
    np.testing.assert_allclose(stored["counterfactual"], expected, rtol=1e-4, atol=1e-6)
    assert json.loads((out / "explanations.jsonl").read_text().splitlines()[0])["peak"]["share"] is None


def test_a_broken_image_does_not_stop_the_gallery(checkpoints, picture, tmp_path, capsys):
    folder, out = tmp_path / "photos", tmp_path / "out"
    folder.mkdir()
    for name in ("a.png", "c.png"):
        (folder / name).write_bytes(picture.read_bytes())
    (folder / "b.png").write_bytes(picture.read_bytes()[:100])
    words = [str(folder), f"--load_checkpoint={checkpoints / 'CALM_EM'}", f"--out={out}"]
    assert errors.run(lambda: explain.main(words)) == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2 and "b.png" in said[0] and "1 of 3 images" in said[1]
    assert {p.name for p in out.glob("*.html")} == {"index.html", "a.html", "c.html"}
    assert len((out / "explanations.jsonl").read_text().splitlines()) == 2


def test_an_interrupted_gallery_leaves_no_half_written_file(checkpoints, picture, tmp_path, monkeypatch):
    folder, out = tmp_path / "photos", tmp_path / "out"
    folder.mkdir()
    for name in ("a.png", "b.png"):
        (folder / name).write_bytes(picture.read_bytes())
    save, saved = Figure.savefig, []

    def interrupted(figure, path, **options):
        saved.append(path)
        save(figure, path, **options)
        if len(saved) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(Figure, "savefig", interrupted)
    words = [str(folder), f"--load_checkpoint={checkpoints / 'CALM_EM'}", f"--out={out}"]
    assert errors.run(lambda: explain.main(words)) == 130
    assert {p.name for p in out.iterdir()} == {"a.html", "a.npz", "a.png"}


def test_bad_input(checkpoints, picture, tmp_path, capsys):
    load = f"--load_checkpoint={checkpoints / 'CALM_EM'}"
    text = tmp_path / "notes.jpg"
    text.write_text("no image")
    assert "notes.jpg" in one_line([text, load], capsys)
    assert "no file matches" in one_line([tmp_path / "*.png", load], capsys)
    assert "no such file" in one_line([tmp_path / "absent.png", load], capsys)
    (tmp_path / "empty").mkdir()
    assert "holds no image" in one_line([tmp_path / "empty", load], capsys)
    assert "'Painted Bunting'" in one_line([picture, load, "--target=Paintd Buntin"], capsys)
    assert "from 0 to 3" in one_line([picture, load, "--versus=4"], capsys)
    assert "from 0 to 3" in one_line([picture, load, "--subset=1,-1"], capsys)
    assert "choose another" in one_line([picture, load, "--target=1", "--versus=1"], capsys)
    assert "--load_checkpoint" in one_line([picture], capsys)
    assert "IMAGE" in one_line([load], capsys)
    assert not (checkpoints / "CALM_EM" / "results").exists()


@pytest.mark.parametrize("size", [(1, 1), (5200, 3900)])
def test_extreme_sizes(checkpoints, tmp_path, size):
    Image.new("RGB", size, (200, 30, 90)).save(tmp_path / "flat.jpg")
    out = tmp_path / "out"
    explain.main([str(tmp_path / "flat.jpg"), f"--load_checkpoint={checkpoints / 'CALM_EM'}", f"--out={out}"])
    line = json.loads((out / "explanations.jsonl").read_text())
    assert line["peak"]["box"][2] <= size[0]
    assert (out / "index.html").stat().st_size < 500_000
    assert Image.open(out / "flat.png").size[0] < 2000


def test_classes_are_found_by_name_and_index():
    assert find_class("3", NAMES, flag="--target") == 3
    assert find_class("002.Indigo_Bunting", NAMES, flag="--target") == 1
    assert find_class("LEAST tern", NAMES, flag="--target") == 3
    assert find_classes("1, least tern,1", NAMES, flag="--subset") == (1, 3)
    assert find_classes("tench, Tinca tinca", ["goldfish", "tench, Tinca tinca"], flag="--subset") == (1,)
    with pytest.raises(UserError, match=r"one of \[0, 1\]"):
        find_class("CRANE", ["crane", "Crane"], flag="--target")


def test_an_open_question_is_settled_by_the_image():
    supersets = {0: [0, 1], 1: [0, 1], 2: [2]}
    assert Ask().of([2, 0, 1], supersets) == Question(2, 0, (2,))
    assert Ask(target=0).of([2, 0, 1], supersets) == Question(0, 2, (0, 1))
    assert Ask(target=0, versus=1, subset=(2,)).of([2, 0, 1], supersets) == Question(0, 1, (2,))


def test_words():
    kind = CALM_KINDS["counterfactual"]
    words = {"target": "Tern", "versus": "Gull", "subset": []}
    assert sentence(kind, 0.31, **words) == "Here the cue speaks for Tern rather than Gull, by a probability of 0.31."
    assert "for Gull rather than Tern, by a probability of 0.25" in sentence(kind, -0.25, **words)
    assert sentence(CALM_KINDS["joint"], 0.3141, **words) == "The cue for Tern was here with probability 0.31."
    assert [value_in_words(v, "probability") for v in (0.0, 0.5, 0.00012, 0.999)] == [
        "less than 0.0001", "0.5", "0.00012", "more than 0.99",
    ]  # fmt: skip
    assert value_in_words(-12.345, "class score") == "-12.3"
    assert [subset_in_words(list(names)) for names in ("", "A", "AB", "ABC", "ABCD")] == [
        "no class", "A", "A or B", "A, B or C", "one of 4 classes",
    ]  # fmt: skip
    assert [display_name(n) for n in [NAMES[0], "n01.x", "a_b"]] == ["Painted Bunting", "n01.x", "a b"]


def test_the_diverging_palette_is_white_at_zero_and_red_above():
    colours = table(DIVERGING).astype(int)
    assert colours[len(colours) // 2].tolist() == [255, 255, 255]
    above, below = colours[len(colours) // 2 + 1 :], colours[: len(colours) // 2]
    assert (above[:, 0] > above[:, 2]).all() and (below[:, 2] > below[:, 0]).all()


@pytest.mark.parametrize("method", ["CALM_EM", "CAM"])
def test_the_figure_has_a_panel_and_a_bar_in_real_units_for_each_map(method):
    explanation = made_up(method)
    figure = explain_figure(explanation)
    wanted = [name for name in explanation.kinds if name != "posterior"]
    assert len(figure.axes) == 1 + 2 * len(wanted)
    drawn = [axis.images[-1] for axis in figure.axes[1:] if len(axis.images) == 2]
    for name, image in zip(wanted, drawn, strict=True):
        values = explanation.maps[name]
        high = np.abs(values).max() if explanation.kinds[name].signed else values.max()
        assert image.norm.vmax == pytest.approx(high)
    texts = " ".join(text.get_text() for text in figure.texts).replace("\n", " ")
    for name in wanted:
        assert explanation.sentence(name) in texts
    assert f"Painted Bunting {explanation.p_y[0]:.3f}" in texts


LONG = ["cougar, puma, catamount, mountain lion, painter, panther, Felis concolor", "Yellow_backed_Spotted_Thrush"]


@pytest.mark.parametrize("method", ["CALM_EM", "CAM"])
def test_long_names_neither_overlap_nor_leave_the_figure(method):
    figure = explain_figure(replace(made_up(method), class_names=LONG * 3, question=Question(0, 1, (0, 1, 2))))
    FigureCanvasAgg(figure).draw()
    words = [*figure.texts, *(axis.title for axis in figure.axes), *(axis._left_title for axis in figure.axes)]
    boxes = [text.get_window_extent() for text in words if text.get_text()]
    assert all(box.x0 >= 0 and box.x1 <= figure.bbox.x1 for box in boxes)
    assert not [pair for pair in combinations(boxes, 2) if pair[0].overlaps(pair[1])]


def slow_maps(logits: np.ndarray, prior: np.ndarray, kind: str, k: int) -> np.ndarray:
    """[K,Z] float64 logits and p(z|x) [Z] -> one map [Z], by the definitions."""
    conditional = np.exp(logits - logits.max(axis=0)) / np.exp(logits - logits.max(axis=0)).sum(axis=0)
    joint = conditional * prior
    return {"conditional": conditional[k], "joint": joint[k], "posterior": joint[k] / joint[k].sum()}[kind]


@pytest.mark.parametrize("spread", [1.0, 40.0])
def test_every_map_from_the_table_is_within_the_stated_bound(spread):
    """Also where prior and conditional disagree by many orders of magnitude."""
    rng = np.random.default_rng(0)
    logits, heights = spread * rng.standard_normal((30, 49)), spread * rng.standard_normal(49)
    prior = np.exp(heights - heights.max()) / np.exp(heights - heights.max()).sum()
    decoded = encode_conditional(log2_conditional(logits), prior).decode()
    joint = decoded * prior
    tiny = np.finfo(np.float32).tiny
    for k in range(30):
        ours = {"conditional": decoded[k], "joint": joint[k], "posterior": joint[k] / joint[k].sum()}
        for kind, values in ours.items():
            expected = slow_maps(logits, prior, kind, k)
            if expected.max() > tiny / prior.min():
                assert np.abs(values - expected).max() <= STATED_BOUND * expected.max(), (kind, k)
    subset = slow_maps(logits, prior, "joint", slice(0, 20)).sum(axis=0)
    assert np.abs(joint[:20].sum(axis=0) - subset).max() <= STATED_BOUND * subset.max()
    difference = slow_maps(logits, prior, "joint", 0) - slow_maps(logits, prior, "joint", 1)
    bound = STATED_BOUND * max(slow_maps(logits, prior, "joint", k).max() for k in (0, 1))
    assert np.abs(joint[0] - joint[1] - difference).max() <= bound


def test_a_logit_of_ten_thousand_and_a_cell_without_prior_are_encoded():
    logits = np.zeros((3, 4))
    logits[0, 0], logits[1, 1] = 1e4, -1e4
    prior = np.array([0.5, 0.25, 0.25, 0.0])
    decoded = encode_conditional(log2_conditional(logits), prior).decode()
    np.testing.assert_allclose(decoded[:, 0], [1, 0, 0])
    np.testing.assert_allclose(decoded[:, 1], [0.5, 0, 0.5], rtol=1e-3)
    np.testing.assert_allclose(decoded[:, 3], 1 / 3, rtol=1e-3)


def test_a_table_that_fits_is_stored_as_it_is():
    for method in ("CALM_EM", "CAM"):
        table, _, deviation = encode(made_up(method))
        assert table.values.dtype == np.float32 and deviation < 1e-7


def test_the_deviation_that_the_page_states_is_measured(monkeypatch):
    monkeypatch.setattr("explanation.page.EXACT_CELLS", 0)
    codes, prior, deviation = encode(made_up())
    true = made_up().output.log_p_y_given_xz[0].flatten(1).exp().numpy()
    errors = np.abs(codes.decode() - true) * prior
    assert (errors.max(axis=1) / (true * prior).max(axis=1)).max() <= deviation * 1.01 < STATED_BOUND
    _, none, deviation = encode(made_up("CAM"))
    assert none is None and 0 < deviation < 1e-4
