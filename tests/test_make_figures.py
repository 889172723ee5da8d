"""make_figures.py: both commands end to end, and what a user may get wrong."""

import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch
from PIL import Image

from calm import make_figures
from calm.data_loaders.synthbirds import generate as synthbirds
from calm.errors import run
from calm.explanation import figure4, from_runs
from calm.networks import build_network


@pytest.fixture(scope="module")
def birds(tmp_path_factory):
    """Drawn birds, and untrained networks CAM and CALM_EM for them in run folders."""
    folder = tmp_path_factory.mktemp("birds")
    roots = {"data_root": str(folder / "dataset"), "metadata_root": str(folder / "metadata")}
    counts = {"train_per_class": 1, "val_per_class": 1, "test_per_class": 2}
    synthbirds.generate(**roots, num_classes=4, image_size=48, seed=0, **counts)
    for method in ("CAM", "CALM_EM"):
        network = build_network("resnet18", method, 4)
        config = {"attribution_method": method, "large_feature_map": True, "dataset_name": "SynthBirds"} | roots
        config |= {"crop_size": 48, "resize_size": 48, "prior_activation": "softplus"}
        content = {"architecture": "resnet18", "state_dict": network.state_dict(), "config": config}
        (folder / method).mkdir()
        torch.save(content, folder / method / "last_checkpoint.pth.tar")
    return folder


def test_both_figures_by_one_command_each(birds, tmp_path, monkeypatch, capsys):
    def right(network, dataset):
        return 0.1 + 0.6 * torch.eye(4)[[record.target for record in dataset.records]]

    monkeypatch.setattr(from_runs, "class_probabilities", right)
    monkeypatch.setattr(figure4, "BASELINES", {"Gradient": "gradient"})
    words = [f"--save_root={birds}", "--load_checkpoint"]
    make_figures.main(["figure3", f"--out={tmp_path}/three.png", *words, "CALM_EM"])
    make_figures.main(["figure4", f"--out={tmp_path}/four.pdf", "--rows=1", *words, "CAM", "CALM_EM"])
    assert Image.open(tmp_path / "three.png").size[0] > 1500
    assert (tmp_path / "four.pdf").read_bytes().startswith(b"%PDF")
    three, four = capsys.readouterr().out.splitlines()
    assert three.startswith(f"{tmp_path}/three.png: shows ") and three.count(".jpg") == 1
    assert four.startswith(f"{tmp_path}/four.pdf: shows ") and four.count(".jpg") == 3


def test_every_run_has_its_own_name():
    runs = {"a": "CAM", "b": "CALM_EM, softplus prior", "c": "CALM_EM, ReLU prior", "d": "CALM_EM, ReLU prior"}
    loaded = [SimpleNamespace(network=folder.upper(), method=method, folder=folder) for folder, method in runs.items()]
    assert from_runs.named(loaded) == {
        "CAM": "A",
        "CALM_EM, softplus prior": "B",
        "CALM_EM, ReLU prior c": "C",
        "CALM_EM, ReLU prior d": "D",
    }


def test_a_run_on_other_data_is_refused(birds, tmp_path, capsys):
    content = torch.load(birds / "CAM" / "last_checkpoint.pth.tar")
    content["config"]["dataset_name"] = "CUB"
    torch.save(content, tmp_path / "cub.pth")
    words = ["figure4", "--out=x.png", "--load_checkpoint", f"{tmp_path / 'cub.pth'}"]
    assert run(lambda: make_figures.main(words)) == 2
    assert "SynthBirds" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["figure3"], "--out is missing: name the file to write"),
        (["figure3", "--out=x.xyz"], ".png or .pdf"),
        (["figure4", "--out=x.png", "--seed=-1"], "--seed"),
        (["figure4", "--out=x.png", "--rows=0"], "--rows"),
        (["figure3", "--out=x.png", "--seed=1"], "belongs to figure4"),
        (["figure3", "--out=x.png", "--load_checkpoint", "a", "b"], "one run"),
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
