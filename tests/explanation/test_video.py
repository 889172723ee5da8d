"""Frames in, maps over them out: as many frames, one scale for all, and a map where the network has it."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import explain
from calm import errors
from calm.networks import load_network
from calm.pictures.overlay import overlay
from tests.explained import made_up_picture
from tests.test_explain import save_checkpoint

FRAMES, WIDTH, HEIGHT, BAR = 5, 120, 90, 28


@pytest.fixture(scope="module")
def frames(tiny_trunk, tmp_path_factory) -> Path:
    """Frames 0.png ... in frames/, and the run folder CALM_EM beside it."""
    folder = tmp_path_factory.mktemp("video")
    (folder / "frames").mkdir()
    for number in range(FRAMES):
        made_up_picture().rotate(30 * number).save(folder / "frames" / f"{number}.png")
    save_checkpoint(folder / "CALM_EM", "CALM_EM")
    return folder


def explained(frames: Path, *words) -> int:
    return errors.run(lambda: explain.main([*map(str, words), f"--load_checkpoint={frames / 'CALM_EM'}"]))


def test_a_folder_of_frames_becomes_a_gif(frames, capsys):
    out = frames / "maps.gif"
    assert explained(frames, frames / "frames", f"--video={out}", "--target=2", "--fps=5") == 0
    said = capsys.readouterr().out
    network, _ = load_network(frames / "CALM_EM")
    with Image.open(out) as read:
        assert (read.n_frames, read.size, read.info["duration"]) == (FRAMES, (WIDTH, HEIGHT + BAR), 200)
        shown = np.asarray(read.convert("RGB"), dtype=float)[:HEIGHT]
    with torch.no_grad():
        joint = [
            network(torch.from_numpy(batch_of(frames / "frames" / f"{number}.png", network))).log_joint.exp()[0, 2]
            for number in range(FRAMES)
        ]
    high = max(map(torch.max, joint)).item()
    assert f"full colour is {high:.2g} (probability)" in said and f"{FRAMES} frames at 5 a second" in said
    changed = np.abs(shown - np.asarray(made_up_picture().convert("RGB"), dtype=float)).mean(axis=2)
    row, column = divmod(int(joint[0].argmax()), joint[0].shape[1])
    cell = (HEIGHT // joint[0].shape[0], WIDTH // joint[0].shape[1])
    over_peak = changed[row * cell[0] : (row + 1) * cell[0], column * cell[1] : (column + 1) * cell[1]]
    assert over_peak.mean() > 20


@pytest.mark.parametrize(("flags", "cell"), [(["--cell_offset=1000"], 0), (["--cell_offset=-1000"], -1)])
def test_cells_are_drawn_where_they_look(frames, monkeypatch, flags, cell):
    """With every pixel of a frame beyond the first, or the last, cell it has the colour of that cell throughout."""
    written: list[Image.Image] = []
    monkeypatch.setattr("calm.explanation.video._write", lambda pictures, out, fps: written.extend(pictures))
    assert explained(frames, frames / "frames", f"--video={frames / 'no.gif'}", "--target=2", *flags) == 0
    network, _ = load_network(frames / "CALM_EM")
    with torch.no_grad():
        joint = [
            network(torch.from_numpy(batch_of(frames / "frames" / f"{number}.png", network))).log_joint.exp()[0, 2]
            for number in range(FRAMES)
        ]
    value = (joint[0].flatten()[cell] / max(map(torch.max, joint))).item()
    pixels = np.asarray(made_up_picture().convert("RGB"))
    expected = overlay(pixels, np.full((HEIGHT, WIDTH), value))
    np.testing.assert_allclose(np.asarray(written[0])[:HEIGHT].astype(int), expected, atol=2)


def batch_of(path: Path, network) -> np.ndarray:
    pixels = np.asarray(Image.open(path).convert("RGB").resize((48, 48), Image.Resampling.BILINEAR), dtype=np.float32)
    return ((pixels / 255 - np.float32(network.mean)) / np.float32(network.std)).transpose(2, 0, 1)[None]


def test_a_video_becomes_a_video(frames, capsys):
    imageio = pytest.importorskip("imageio.v2", reason="imageio is not installed (requirements.txt)")
    pytest.importorskip("imageio_ffmpeg", reason="imageio's ffmpeg is not installed (requirements.txt)")
    with imageio.get_writer(frames / "clip.mp4", fps=12, macro_block_size=2) as writer:
        for number in range(FRAMES):
            writer.append_data(np.asarray(Image.open(frames / "frames" / f"{number}.png").convert("RGB")))
    assert explained(frames, frames / "clip.mp4", f"--video={frames / 'maps.mp4'}") == 0, capsys.readouterr().err
    with imageio.get_reader(frames / "maps.mp4") as reader:
        assert reader.get_meta_data()["fps"] == 12 and reader.get_meta_data()["size"] == (WIDTH, HEIGHT + BAR)
        assert sum(1 for _ in reader) == FRAMES
    assert json.dumps(sorted(path.name for path in frames.iterdir())).count("maps") == 2  # nothing half-written


def test_what_cannot_be_done_is_one_sentence(frames, tmp_path, monkeypatch, capsys):
    (tmp_path / "clip.mp4").write_bytes(b"no video")
    for words, said in (
        ([frames / "frames", "--video=x.png"], "--video=x.png: name an .mp4 or a .gif file"),
        ([frames / "frames", f"--video={tmp_path}/x.gif", "--fps=0"], "--fps=0"),
        ([tmp_path / "clip.mp4", f"--video={tmp_path}/x.gif"], "cannot be read as a video"),
        ([frames / "frames", f"--video={tmp_path}/x.gif", "--versus=1"], "--versus: is of figures and pages"),
        ([frames / "frames", f"--video={tmp_path}/x.gif", f"--out={tmp_path}"], "--out: is of figures and pages"),
        ([frames / "frames", "--fps=5"], "--fps=5: goes with --video"),
    ):
        assert explained(frames, *words) == 2
        message = capsys.readouterr().err
        assert said in message and message.count("\n") == 1
    monkeypatch.setattr(errors, "is_installed", lambda package: False)
    assert explained(frames, tmp_path / "clip.mp4", f"--video={tmp_path}/x.gif") == 2
    assert "pip install '.[video]'" in capsys.readouterr().err and not (tmp_path / "x.gif").exists()
