"""The GPU benchmark's CPU part runs, and says what needs a GPU."""

import importlib.util
import sys
from pathlib import Path

import pytest
import torch

FOLDER = Path(__file__).resolve().parent.parent / "benchmarks"


@pytest.mark.skipif(torch.cuda.is_available(), reason="takes minutes on a GPU")
def test_the_gpu_benchmark_says_what_it_could_not_run(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    monkeypatch.delitem(sys.modules, "measure", raising=False)
    spec = importlib.util.spec_from_file_location("gpu_benchmark", FOLDER / "gpu.py")
    gpu = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(gpu)
    found = gpu.main(["--batch_size=2", "--crop_size=32", "--repeats=1"])
    assert set(found["not_run"]) == {name for name, choice in gpu.CHOICES.items() if choice.gpu_alone}
    assert found["training_step"]["plain"]["ratio"] == 1 and found["waits_per_batch"] == "needs a GPU"
    assert found["auto_precision"] == "fp32" and min(found["milliseconds_of_a_map"].values()) > 0
