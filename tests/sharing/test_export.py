"""Exported files give what the network gives, for another number of images too, under the names that are promised."""

import hashlib
import json

import numpy as np
import pytest
import torch

from calm import errors, export
from calm.networks import load_network
from calm.runs import EXPORTS, LAST
from calm.sharing import formats
from tests.test_explain import NAMES, save_checkpoint
from tests.tiny_networks import tiny_batch

SIZE = 48


def file_digest(path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def run_onnx(path, images):
    onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed (requirements-dev.txt)")
    session = onnxruntime.InferenceSession(path)
    return dict(zip([output.name for output in session.get_outputs()], session.run(None, {"images": images.numpy()})))


RUN = {
    "onnx": run_onnx,
    "torchscript": lambda path, images: torch.jit.load(path)(images),
    "pt2": lambda path, images: torch.export.load(path).module()(images),
}


@pytest.fixture
def run(tiny_trunk, tmp_path):
    return save_checkpoint(tmp_path / "run", "CALM_EM")


def exported(*words) -> int:
    return errors.run(lambda: export.main([str(word) for word in words]))


@pytest.mark.parametrize("form", ["onnx", "torchscript", "pt2"])
def test_a_place_that_cannot_be_written_is_said_as_one(run, form, monkeypatch, capsys):
    def refuse(*_, **__):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("pathlib.Path.touch", refuse)
    assert exported(run, "--format", form) == 2
    assert "cannot be written (Read-only file system)" in capsys.readouterr().err


@torch.no_grad()
@pytest.mark.parametrize(
    ("form", "file", "method"),
    [("onnx", "model.onnx", "CALM_EM"), ("torchscript", "model.pt", "CAM"), ("pt2", "model.pt2", "CALM_EM")],
)
def test_a_file_gives_what_the_network_gives(tiny_trunk, tmp_path, form, file, method, capsys):
    run = save_checkpoint(tmp_path / "run", method)
    assert exported(run, "--format", form) == 0, capsys.readouterr().err
    network, _ = load_network(run)
    for count in (1, 7):
        images, _ = tiny_batch(count, SIZE)
        output = network(images)
        wanted = {"probabilities": output.log_p_y.softmax(dim=1)}
        if method == "CAM":
            wanted["class_maps"] = output.class_maps
        else:
            conditional, prior = output.class_logits.softmax(dim=1), output.log_p_z_given_x.exp()
            wanted |= {"joint": conditional * prior, "prior": prior[:, 0]}
        found = RUN[form](run / file, images)
        assert set(found) == set(wanted)
        for name, value in wanted.items():
            np.testing.assert_allclose(np.asarray(found[name]), value.numpy(), atol=1e-4, err_msg=name)
    said = json.loads((run / f"{file}.json").read_text())
    assert {file, f"{file}.json"} <= {*EXPORTS} and said["checkpoint"]["sha256"] == file_digest(run / LAST)
    assert said["class_names"] == NAMES and said["outputs"][-1] == "probabilities"
    assert said["input"] | {"name": "images", "shape": ["batch", 3, SIZE, SIZE]} == said["input"]


def test_files_of_one_folder_say_each_its_own_checkpoint(run):
    assert exported(run, "--format=torchscript") == 0
    earlier = file_digest(run / LAST)
    content = torch.load(run / LAST, weights_only=True)
    content["state_dict"]["conv_last.bias"][0] += 1
    torch.save(content, run / LAST)  # the training went on
    assert exported(run, "--format=torchscript", f"--out={run / 'model.later.pt'}") == 0
    said = {name: json.loads((run / f"{name}.json").read_text()) for name in ("model.pt", "model.later.pt")}
    assert [one["checkpoint"]["sha256"] for one in said.values()] == [earlier, file_digest(run / LAST)]
    first, second = (torch.jit.load(run / name)(tiny_batch(1, SIZE)[0])["probabilities"] for name in said)
    assert (second[:, 0] > first[:, 0]).all()


def test_a_file_of_another_suffix_is_refused_before_anything_is_replaced(run, capsys):
    before = {path: path.read_bytes() for path in run.iterdir()}
    for place in (run / LAST, run / "model.json", run):
        assert exported(run, "--format=torchscript", f"--out={place}") == 2
        assert capsys.readouterr().err == f"error: --out={place}: should end in .pt\n"
    assert before == {path: path.read_bytes() for path in run.iterdir()}


def test_a_file_that_computes_something_else_is_not_kept(run, tmp_path, monkeypatch, capsys):
    changed = formats.FORMATS["torchscript"]._replace(run=lambda path, images: {"joint": np.zeros(1)})
    monkeypatch.setitem(formats.FORMATS, "torchscript", changed)
    assert exported(run, "--format=torchscript", f"--out={tmp_path / 'x.pt'}") == 2
    assert "cannot be exported to torchscript (the file's outputs are joint)" in capsys.readouterr().err
    assert not (tmp_path / "x.pt").exists()


def test_a_file_that_takes_no_other_number_of_images_is_not_kept(run, monkeypatch, capsys):
    helper = pytest.importorskip("onnx", reason="onnx is not installed (requirements-dev.txt)").helper
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed (requirements-dev.txt)")
    ends = [helper.make_tensor_value_info(name, 1, [2, 3, SIZE, SIZE]) for name in ("images", "joint")]
    node = helper.make_node("Identity", ["images"], ["joint"])
    opset = [helper.make_opsetid("", 17)]
    model = helper.make_model(helper.make_graph([node], "x", ends[:1], ends[1:]), opset_imports=opset, ir_version=8)
    changed = formats.FORMATS["onnx"]._replace(
        write=lambda module, images, path: path.write_bytes(model.SerializeToString())
    )
    monkeypatch.setitem(formats.FORMATS, "onnx", changed)
    assert exported(run, "--format=onnx") == 2
    assert "cannot be exported to onnx (onnxruntime: " in capsys.readouterr().err
    assert not (run / "model.onnx").exists()


def test_without_the_extra_one_sentence_says_so(run, monkeypatch, capsys):
    monkeypatch.setattr(errors, "is_installed", lambda package: False)
    assert exported(run, "--format=onnx") == 2
    message = capsys.readouterr().err
    assert "pip install '.[export]'" in message and message.count("\n") == 1
