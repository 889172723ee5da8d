"""--help, a wrong flag and the zoo's list answer without any of the libraries that are slow to import."""

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
