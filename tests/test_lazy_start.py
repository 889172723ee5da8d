"""No script imports what it does not need: an image is explained without matplotlib, --help without torch."""

import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
LIGHT = """
import runpy, sys
sys.argv = sys.argv[1:]
try:
    runpy.run_path(sys.argv[0], run_name="__main__")
finally:
    slow = {"torch", "torchvision", "timm", "captum", "torchcam", "matplotlib", "cv2", "sklearn"} & set(sys.modules)
    assert not slow, f"{slow} were imported"
    assert len(sys.modules) < 300, f"{len(sys.modules)} modules were imported"
"""
EXPLAINED = """
import gc, os, sys
gc.disable()  # which takes a fifth off the imports
from calm import distributed, runs
from calm.explanation.explainer import explainer_of
from calm.explanation.image_files import find_images
from calm.explanation.questions import parse_ask
from calm.explanation.results import explain_files, write
from pathlib import Path
from tests.explained import made_up
write(made_up(), Path("a.jpg"), Path(sys.argv[1]), "a", page="index.html", in_gallery=False)
assert "matplotlib" not in sys.modules and "timm" not in sys.modules
os._exit(0)  # torch takes a second to end
"""
SCRIPTS = ["main", "eval_cue_location", "eval_pixel_perturb", "eval_wsol", "eval_attribution"]
SCRIPTS += ["eval_intervention", "explain", "make_tables", "make_figures"]


def run(*words: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-c", LIGHT, *words]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize(("flag", "code"), [("--help", 0), ("--no_such_flag=1", 2)])
def test_parsing_imports_nothing_slow(script, flag, code):
    done = run(f"{script}.py", flag)
    assert done.returncode == code, done.stderr


def test_the_zoo_lists_its_networks_at_once():
    done = run("networks/zoo/__main__.py", "list")
    assert done.returncode == 0 and "resnet50" in done.stdout, done.stderr


def test_an_image_is_explained_without_matplotlib(tmp_path):
    command = [sys.executable, "-c", EXPLAINED, str(tmp_path)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"a.png", "a.npz", "index.html"}
