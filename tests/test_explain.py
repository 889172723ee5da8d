"""explain.py: from the command line to the files."""

import json
import os
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest
import torch
from PIL import Image

import explain
from calm import errors
from calm.attribution import build_attribution
from calm.data_loaders.classes import display_name
from calm.data_loaders.transforms import to_tensor
from calm.errors import run
from calm.explanation.explainer import method_in_words
from calm.explanation.kinds import CALM_KINDS
from calm.networks import build_network, load_network
from tests.explained import made_up_picture
from tests.tiny_networks import tiny_network

SIZE = 48
NAMES = ["001.Painted_Bunting", "002.Indigo_Bunting", "003.Summer_Tanager", "004.Least_Tern"]


def save_checkpoint(folder: Path, method: str) -> Path:
    """A checkpoint of an untrained network with four classes."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = build_network("tiny", method, len(NAMES), large_feature_map=True)
    config = {
        "architecture": "tiny",
        "attribution_method": method,
        "large_feature_map": True,
        "use_bn": False,
        "dataset_name": "SynthBirds",
        "crop_size": SIZE,
        "resize_size": SIZE,
        "prior_activation": "softplus",
        "detach_prior_sum": False,
        "inception_tap": "mixed_6e",
    }
    content = {"architecture": "tiny", "state_dict": network.state_dict(), "config": config, "class_names": NAMES}
    folder.mkdir()
    torch.save(content, folder / "last_checkpoint.pth.tar")
    return folder


@pytest.fixture(scope="module")
def checkpoints(tiny_trunk, tmp_path_factory) -> Path:
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
    x0, y0 = 20 * column - 5, 15 * row - 3.75  # cells look at pixel 1.5 + 8 i of 48, a quarter cell before their tiles
    assert line["peak"]["box"] == pytest.approx([max(x0, 0), max(y0, 0), x0 + 20, y0 + 15])
    probabilities = [entry["p"] for entry in line["top5"]]
    assert probabilities == sorted(probabilities, reverse=True) and sum(probabilities) == pytest.approx(1)
    assert (line["target"], line["versus"], line["subset"]) == (NAMES[2], NAMES[1], [NAMES[0], NAMES[2]])


@pytest.mark.usefixtures("undrawn")
def test_results_go_to_the_run_folder_and_a_folder_makes_a_gallery(checkpoints, picture, tmp_path, capsys):
    for name in (f"{NAMES[0]}/bird.png", "b/bird.png"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(picture.read_bytes())
    explain.main([str(tmp_path), "--load_checkpoint=CAM", f"--save_root={checkpoints}"])
    said = capsys.readouterr().out.splitlines()
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
    labelled, plain = (json.loads(line) for line in (out / "explanations.jsonl").read_text().splitlines())
    if labelled["label"] is None:
        labelled, plain = plain, labelled
    assert labelled["peak"]["share"] is None and labelled["label"] == display_name(NAMES[0])
    assert (plain["label"], plain["correct"]) == (None, None)
    assert labelled["correct"] == (labelled["predicted"] == NAMES[0])
    first, second = (f"{display_name(entry['name'])}, p = {entry['p']:.2f}" for entry in labelled["top5"][:2])
    row, column = labelled["peak"]["row"] + 1, labelled["peak"]["column"] + 1
    wanted = f": {first}; then {second}. At row {row}, column {column} of 6 x 6: {labelled['sentences']['cam']}"
    line = next(line for line in said if NAMES[0] in line)
    assert wanted in line and ("Wrong: its folder says" in line) == (not labelled["correct"])


@pytest.mark.usefixtures("undrawn")
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


HOSTILE = (b"$$.png", b"b#1.png", b"c?x=1.png", b"d%41.png", b"\xff.png", "\u00e9".encode() * 123 + b".PNG")


@pytest.mark.usefixtures("undrawn")
def test_any_name_of_a_file_is_explained_and_linked(checkpoints, picture, tmp_path, capsys):
    folder, out = tmp_path / "photos", tmp_path / "out"
    folder.mkdir()
    for name in HOSTILE:
        (folder / os.fsdecode(name)).write_bytes(picture.read_bytes())
    explain.main([str(folder), f"--load_checkpoint={checkpoints / 'CALM_EM'}", f"--out={out}"])
    payload = re.search(r'id="payload"[^>]*>(.*?)</script>', (out / "index.html").read_text(), re.DOTALL)[1]
    links = {card["image_id"]: card["page"] for card in json.loads(payload)}
    assert len(links) == len(HOSTILE) and links["b#1.png"] == "b%231.html" and links["\ufffd.png"] == "%EF%BF%BD.html"
    assert all((out / unquote(urlsplit(link).path)).is_file() for link in links.values())
    assert len((out / "explanations.jsonl").read_text().splitlines()) == len(HOSTILE)
    assert re.search("\ufffd\\.png: .*, p = .*: The cue for", capsys.readouterr().out)


@pytest.mark.usefixtures("undrawn")
def test_an_image_that_a_codec_gives_up_on_is_left_out(checkpoints, picture, tmp_path, capsys):
    """Pillow raises RuntimeError of a damaged AVIF file and NotImplementedError of a DDS file's unknown format."""
    folder, out = tmp_path / "photos", tmp_path / "out"
    folder.mkdir()
    Image.open(picture).save(folder / "a.dds", "DDS")
    content = bytearray((folder / "a.dds").read_bytes())
    content[80:88] = bytes([4, 0, 0, 0, *b"ABCD"])  # pixel format: a code that there is not
    (folder / "a.jpg").write_bytes(content)
    (folder / "b.png").write_bytes(picture.read_bytes())
    words = [str(folder), f"--load_checkpoint={checkpoints / 'CALM_EM'}", f"--out={out}"]
    assert errors.run(lambda: explain.main(words)) == 2
    assert "a.jpg cannot be read as an image" in capsys.readouterr().err
    assert {path.name for path in out.glob("*.html")} == {"index.html", "b.html"}


@pytest.mark.usefixtures("undrawn")
def test_the_page_s_picture_is_upright(checkpoints, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (80, 60)).save(tmp_path / "phone.jpg", exif=exif)
    out = tmp_path / "out"
    explain.main([str(tmp_path / "phone.jpg"), f"--load_checkpoint={checkpoints / 'CALM_EM'}", f"--out={out}"])
    assert "whole picture (60 × 80)" in (out / "index.html").read_text()


def test_an_interrupted_gallery_leaves_no_half_written_file(checkpoints, picture, tmp_path, monkeypatch):
    folder, out = tmp_path / "photos", tmp_path / "out"
    folder.mkdir()
    for name in ("a.png", "b.png"):
        (folder / name).write_bytes(picture.read_bytes())
    write, drawn = Path.write_bytes, []

    def interrupted(path, content):
        drawn.extend([path] * (path.suffix == ".png"))
        write(path, content)
        if len(drawn) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(Path, "write_bytes", interrupted)
    words = [str(folder), f"--load_checkpoint={checkpoints / 'CALM_EM'}", f"--out={out}"]
    assert errors.run(lambda: explain.main(words)) == 130
    files = {"a.html", "a.npz", "a.png", "explanations.jsonl", "index.html"}
    assert {p.name for p in out.iterdir()} == files and "a.html" in (out / "index.html").read_text()


def test_bad_input(checkpoints, picture, tmp_path, capsys):
    load = f"--load_checkpoint={checkpoints / 'CALM_EM'}"
    text = tmp_path / "notes.jpg"
    text.write_text("no image")
    assert "notes.jpg" in one_line([text, load], capsys)
    assert "no file matches" in one_line([tmp_path / "*.png", load], capsys)
    assert "an empty name" in one_line(["", load], capsys)
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


def test_a_network_is_named_by_its_method_and_prior():
    asked = (("CAM", "relu"), ("CALM_ML", "softplus"), ("CALM_EM", "relu"))
    words = [method_in_words(tiny_network(method), prior) for method, prior in asked]
    assert words == ["CAM", "CALM_ML, softplus prior", "CALM_EM, ReLU prior"]
