"""--help and a wrong flag of an evaluation answer without torch."""

import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent.parent
WITHOUT_TORCH = """
import runpy, sys
sys.argv = sys.argv[1:]
try:
    runpy.run_path(sys.argv[0], run_name="__main__")
finally:
    assert "torch" not in sys.modules, "torch was imported"
"""


@pytest.mark.parametrize(
    "script", ["eval_cue_location", "eval_pixel_perturb", "eval_wsol", "eval_attribution", "eval_intervention"]
)
@pytest.mark.parametrize(("flag", "code"), [("--help", 0), ("--no_such_flag=1", 2)])
def test_parsing_needs_no_torch(script, flag, code):
    words = [sys.executable, "-c", WITHOUT_TORCH, f"{script}.py", flag]
    done = subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
