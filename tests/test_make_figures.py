"""make_figures.py: every command end to end, and what a user may get wrong."""

import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch
from PIL import Image

from calm import make_figures
from calm.data_loaders.catalogue import DATASETS
from calm.data_loaders.synthbirds import generate as synthbirds
from calm.errors import run
from calm.explanation import examined, figure4, from_runs
from calm.networks import build_network


@pytest.fixture(scope="module")
def birds(tiny_trunk, tmp_path_factory):
    """Drawn birds, and untrained networks CAM and CALM_EM for them in run folders."""
    folder = tmp_path_factory.mktemp("birds")
    roots = {"data_root": str(folder / "dataset"), "metadata_root": str(folder / "metadata")}
    counts = {"train_per_class": 1, "val_per_class": 1, "test_per_class": 2}
    synthbirds.generate(**roots, num_classes=4, image_size=48, seed=0, **counts)
    names = DATASETS["SynthBirds"].class_names(roots["data_root"])
    for method in ("CAM", "CALM_EM"):
        network = build_network("tiny", method, 4)
        config = {"attribution_method": method, "large_feature_map": True, "dataset_name": "SynthBirds"} | roots
        config |= {"crop_size": 48, "resize_size": 48, "prior_activation": "softplus"}
        content = {
            "architecture": "tiny",
            "state_dict": network.state_dict(),
            "config": config,
            "class_names": names,
        }
        (folder / method).mkdir()
        torch.save(content, folder / method / "last_checkpoint.pth.tar")
    return folder


@pytest.fixture
def certain(monkeypatch):
    """Every network is right, and one baseline is enough."""

    def right(run, dataset):
        return 0.1 + 0.6 * torch.eye(4)[[record.target for record in dataset.records]]

    monkeypatch.setattr(examined, "class_probabilities", right)
    monkeypatch.setattr(figure4, "BASELINES", {"Gradient": "gradient"})
    monkeypatch.setattr(from_runs, "DPI", 40)


@pytest.mark.usefixtures("certain")
def test_every_figure_by_one_command(birds, tmp_path, capsys):
    words = [f"--save_root={birds}", "--load_checkpoint"]
    make_figures.main(["figure1", f"--out={tmp_path}/one.png", *words, "CAM", "CALM_EM"])
    make_figures.main(["figure3", f"--out={tmp_path}/three.png", *words, "CALM_EM"])
    make_figures.main(["figure4", f"--out={tmp_path}/four.pdf", "--rows=1", *words, "CAM", "CALM_EM"])
    make_figures.main(["figure6", f"--out={tmp_path}/six.png", *words, "CALM_EM"])
    assert Image.open(tmp_path / "three.png").size[0] > 300
    assert (tmp_path / "four.pdf").read_bytes().startswith(b"%PDF")
    said = capsys.readouterr().out.splitlines()
    assert [line.split(": shows ")[0] for line in said] == [
        f"{tmp_path}/{n}" for n in ("one.png", "three.png", "four.pdf", "six.png")
    ]
    assert [line.count(".jpg") for line in said] == [1, 1, 3, 1]
    assert said[0].split(": shows ")[1] == said[3].split(": shows ")[1]  # the same representative image


@pytest.mark.usefixtures("undrawn", "certain")
@pytest.mark.parametrize("figure", make_figures.FIGURES)
def test_given_images_need_no_data_set(birds, tmp_path, figure, capsys):
    picture = next((birds / "dataset").rglob("*.jpg"))
    (tmp_path / "mine").mkdir()
    for name in ("a.png", "b.png"):
        Image.open(picture).save(tmp_path / "mine" / name)
    words = [f"--save_root={birds}", "--data_root=nowhere", "--metadata_root=nowhere", "--load_checkpoint", "CALM_EM"]
    words += ["--image", str(tmp_path / "mine"), "--target=2", "--versus=0", f"--out={tmp_path}/x.png"]
    make_figures.main([figure, *words])
    assert capsys.readouterr().out.splitlines()[-1] == f"{tmp_path}/x.png: shows a.png, b.png"


def test_every_run_has_its_own_name():
    runs = {"a": "CAM", "b": "CALM_EM, softplus prior", "c": "CALM_EM, ReLU prior", "d": "CALM_EM, ReLU prior"}
    loaded = [SimpleNamespace(method=method, folder=folder) for folder, method in runs.items()]
    assert from_runs.names_of(loaded) == [
        "CAM",
        "CALM_EM, softplus prior",
        "CALM_EM, ReLU prior c",
        "CALM_EM, ReLU prior d",
    ]


def test_runs_of_other_classes_are_refused(birds, tmp_path, capsys):
    content = torch.load(birds / "CAM" / "last_checkpoint.pth.tar")
    content["class_names"] = ["w", "x", "y", "z"]
    (tmp_path / "other").mkdir()
    torch.save(content, tmp_path / "other" / "last_checkpoint.pth.tar")
    words = ["figure4", "--out=x.png", "--load_checkpoint", f"{birds / 'CAM'}", f"{tmp_path / 'other'}"]
    assert run(lambda: make_figures.main(words)) == 2
    assert "CAM and other know other classes" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["figure3"], "--out is missing: name the file to write"),
        (["figure3", "--out=x.xyz"], ".png or .pdf"),
        (["figure4", "--out=x.png", "--seed=-1"], "--seed"),
        (["figure4", "--out=x.png", "--rows=0"], "--rows"),
        (["figure3", "--out=x.png", "--rows=1"], "belongs to figure4"),
        (["figure3", "--out=x.png", "--target=1"], "goes with --image"),
        (["figure3", "--out=x.png", "--image", "a.jpg", "--seed=3"], "draws images of the test split"),
        (["figure6", "--out=x.png", "--load_checkpoint", "a", "b"], "one run"),
        (["figure5"], "figure5"),
        (["figure4", "--unknown=1"], "--unknown"),
    ],
)
def test_bad_words_are_one_sentence(capsys, words, said):
    assert run(lambda: make_figures.main([words[0], "--load_checkpoint", "nowhere", *words[1:]])) == 2
    message = capsys.readouterr().err
    assert said in message and message.count("\n") == 1


def test_the_command_line_names_every_figure():
    assert set(make_figures.FIGURES) == set(from_runs.FIGURES)


@pytest.mark.parametrize("script", ["make_figures.py", "explain.py"])
def test_help_imports_no_torch(script, request):
    """Loading torch takes seconds; --help should not."""
    code = f"""
import runpy, sys
sys.argv = ["x", "--help"]
try:
    runpy.run_path({script!r}, run_name="__main__")
finally:
    print("torch" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=request.config.rootpath, capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.splitlines()[-1] == "False"
