"""Fixtures shared by the tests."""

import os
import sys
from pathlib import Path
from types import SimpleNamespace

import cv2
import pytest
import torch
from PIL import Image

from calm.data_loaders import datasets
from calm.explanation.map_picture import map_picture
from calm.networks import TRUNKS
from tests.tiny_networks import PlainTinyTrunk, TinyTrunk

torch.set_num_threads(1)
cv2.setNumThreads(1)
REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def test_data() -> Path:
    """Folder with real annotations, photographs and expected values; tests that need it skip where it is not set."""
    folder = os.environ.get("CALM_TEST_DATA")
    if not folder:
        pytest.skip("CALM_TEST_DATA is not set: real annotations and expected values are not available")
    return Path(folder).resolve()


@pytest.fixture(scope="session")
def expected(test_data: Path) -> Path:
    """Folder of the expected values, importable: ``import formulas``."""
    folder = test_data / "expected"
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
    return folder


@pytest.fixture(scope="session")
def fake_cub(expected: Path, tmp_path_factory) -> Path:
    """Folder with a small CUB/ of pictures by formula under the real annotations, and its metadata/."""
    import fake_cub as writer

    folder = tmp_path_factory.mktemp("fake_cub")
    writer.main(str(folder))
    return folder


@pytest.fixture(scope="module")
def tiny_trunk():
    """``--architecture=tiny`` and ``tiny_plain``: three convolutions show what the scripts do, in little time."""
    TRUNKS.update(tiny=TinyTrunk, tiny_plain=PlainTinyTrunk)
    yield
    del TRUNKS["tiny"], TRUNKS["tiny_plain"]


DRAWN = (
    "evaluation.cue_location.report.save_curves",
    "evaluation.cue_location.report.save_samples",
    "evaluation.pixel_perturb.report.save_curves",
    "evaluation.pixel_perturb.report.save_samples",
    "evaluation.wsol.report.save_samples",
    "training.accuracy.save_map_sheet",
)


@pytest.fixture
def undrawn(monkeypatch):
    """No pictures, or empty files: drawing takes most of the time of an evaluation of few images."""
    for name in DRAWN:
        monkeypatch.setattr(f"calm.{name}", lambda *_, **__: None)
    monkeypatch.setattr("calm.explanation.results.explain_figure", lambda _: Image.new("RGB", (1, 1)))


@pytest.fixture
def maps_drawn(monkeypatch) -> list[SimpleNamespace]:
    """Values [h,w], scale, cells and pixels of every map over a picture on matplotlib's axes, in order."""
    drawn = []

    def noted(picture, values, scale, *, size, cells=None):
        pixels = map_picture(picture, values, scale, size=size, cells=cells)
        drawn.append(SimpleNamespace(values=values, scale=scale, cells=cells, pixels=pixels))
        return pixels

    monkeypatch.setattr("calm.explanation.axes.map_picture", noted)
    return drawn


@pytest.fixture
def splits_read(monkeypatch) -> list[str]:
    """The splits whose metadata is read in a test, each time anew."""
    read = []

    def counting(metadata_root, name, split, **options):
        read.append(split)
        return read_records(metadata_root, name, split, **options)

    read_records = datasets.read_records
    monkeypatch.setattr(datasets, "read_records", counting)
    return read
