"""Results files, and how a checkpoint's config and the command line meet."""

import hashlib
import json
from dataclasses import replace

import pytest
import torch
from munch import Munch

from calm import runs
from calm.atomic import replacing, sha256
from calm.config import parse
from calm.data_loaders.catalogue import DATASETS
from calm.errors import UserError
from calm.evaluation import session as sessions
from calm.flags import recorded
from calm.networks import build_network
from tests.tiny_data import tiny_cub, write


@pytest.fixture
def checkpoint(tmp_path, monkeypatch):
    """A run folder with a checkpoint of ours: CALM_EM resnet18 with 3 classes; no bird is drawn for it."""
    monkeypatch.setattr(sessions, "ensure_data", lambda args: None)
    network = build_network("resnet18", "CALM_EM", 3)
    args = parse(["--attribution_method=CALM_EM", "--architecture=resnet18", "--crop_size=32"], "main")
    folder = tmp_path / "save" / "x"
    folder.mkdir(parents=True)
    content = {
        "architecture": "resnet18",
        "epoch": 1,
        "state_dict": network.state_dict(),
        "optimizer": {},
        "config": {**recorded(args), "dataset_name": "SynthBirds"},
        "format_version": 1,
    }
    torch.save(content, folder / runs.LAST)
    return folder


def cub(folder, count: int = 9) -> list[str]:
    """The flags of a few test images as CUB."""
    tiny_cub(folder, "test", count)
    return ["--dataset=CUB", f"--data_root={folder / 'dataset'}", f"--metadata_root={folder / 'metadata'}"]


def start(checkpoint, *words, name="wsol"):
    return sessions.start_session(parse([f"--load_checkpoint={checkpoint}/", *words], f"eval_{name}"), name)


def test_the_run_folder_is_enough(checkpoint, capsys):
    session = start(checkpoint)
    args = session.args
    assert (args.architecture, args.attribution_method, args.dataset_name) == ("resnet18", "CALM_EM", "SynthBirds")
    assert args.crop_size == 32 and args.score_map_process == "joint"
    assert session.folder == checkpoint and not session.network.training
    assert "notice" not in capsys.readouterr().out


def test_a_flag_overrides_with_a_notice(checkpoint, capsys):
    session = start(checkpoint, "--dataset=CUB", "--attribution_method=CALM_EM")
    assert session.args.dataset_name == "CUB"
    assert capsys.readouterr().out.count("notice: --dataset_name=CUB overrides") == 1


def test_a_checkpoint_that_is_replaced_while_it_is_read_is_named_by_its_own_hash(checkpoint, monkeypatch):
    """As by a training that goes on."""
    path, times, load = checkpoint / runs.LAST, iter((1, 2)), runs.load
    content = torch.load(path)

    def load_and_replace(read, **given):
        loaded = load(read, **given)
        if next(times) == 1:
            content["state_dict"]["conv_last.bias"] += 1
            with replacing(path) as temporary:
                torch.save(content, temporary)
        return loaded

    monkeypatch.setattr(runs, "load", load_and_replace)
    restored = start(checkpoint).restored
    assert restored.sha256 == sha256(path)
    assert torch.equal(restored.network.conv_last.bias, content["state_dict"]["conv_last.bias"])
    monkeypatch.setattr(runs, "load", load)
    monkeypatch.setattr(runs.distributed, "gather", lambda checksum: [checksum, "another"])
    with pytest.raises(UserError, match="was replaced while several processes read it"):
        start(checkpoint)


def test_results_go_to_the_named_experiment(checkpoint, tmp_path):
    session = start(checkpoint, "--experiment_name=y", f"--save_root={tmp_path / 'save'}", "--tag=t", *cub(tmp_path))
    path = session.write({"PxAP": float("nan"), "n": 1}, {"pairs": ()})
    assert path == tmp_path / "save" / "y" / "results" / "wsol_t.json"
    result = json.loads(path.read_text())
    assert result["metrics"] == {"PxAP": None, "n": 1} and result["details"] == {"pairs": []}
    assert result["checkpoint"]["sha256"] == sha256(checkpoint / runs.LAST)
    assert result["config"]["dataset_name"] == "CUB" and result["config"]["experiment_name"] == "y"


def test_results_say_of_which_images_and_classes_they_are(checkpoint, tmp_path):
    """Wherever these lie, in whichever order, and however many are drawn of them."""

    def data(*words: str) -> dict:
        return json.loads(start(checkpoint, *words).write({}, {}).read_text())["data"]

    one, other, fewer = (cub(tmp_path / name, count) for name, count in (("one", 9), ("other", 9), ("fewer", 6)))
    names = ("class_labels.txt", "image_ids.txt", "image_sizes.txt")
    labels, ids, sizes = (tmp_path / "other/metadata/CUB/test" / name for name in names)
    size_of = dict(line.split(",", 1) for line in sizes.read_text().splitlines())
    lines = sorted(f"{line},{size_of[line.split(',')[0]]}\n" for line in labels.read_text().splitlines())
    digest = hashlib.sha256("".join(lines).encode()).hexdigest()
    assert data(*one) == {"num_images": 9, "num_classes": 200, "sha256": digest}
    ids.write_text("".join(reversed(ids.read_text().splitlines(keepends=True))))
    assert data(*other, "--max_images=2") == data(*one)
    assert data(*fewer)["num_images"] == 6 and data(*fewer)["sha256"] != digest
    listed = sizes.read_text()
    sizes.write_text(listed.replace(",40,60", ",41,60"))
    assert data(*other)["sha256"] != digest
    sizes.write_text(listed)
    first, *rest = labels.read_text().splitlines(keepends=True)
    labels.write_text("".join([first.replace(",0", ",1"), *rest]))
    assert data(*other)["num_images"] == 9 and data(*other)["sha256"] != digest


def test_results_say_nothing_of_a_training_that_was_another(checkpoint):
    """What the flags of training are here by default is not how the checkpoint was trained."""
    given = start(checkpoint, "--epochs=7", "--resize_mode=bicubic", *cub(checkpoint)).write({}, {})
    config = json.loads(given.read_text())["config"]
    trained = {"epochs", "lr", "schedule", "em_target", "is_train", "pretrained", "override_cache", "experiment_name"}
    assert not trained & config.keys()
    assert (config["resize_mode"], config["crop_size"], config["seed"], config["tag"]) == ("bicubic", 32, 0, None)


@pytest.mark.parametrize(
    ("name", "words", "before", "lost"),
    [
        ("pixel_perturb", [], {"details": {"attribution": "cam"}, "metrics": {"R_30": 1.0}}, "cam"),
        ("pixel_perturb", ["--tag=t"], {"details": {"attribution": "cam"}, "metrics": {"R_30": 1.0}}, None),
        ("pixel_perturb", [], {"details": {"attribution": "joint"}, "metrics": {"R_30": 1.0}}, None),
        ("wsol", ["--scoremap_root=mine"], {"details": {"attribution": "joint"}, "metrics": {}}, "joint"),
        ("wsol", ["--scoremap_root=mine"], {"details": {"attribution": "maps of mine"}, "metrics": {}}, None),
        ("attribution", ["--attributions=cam"], {"details": {}, "metrics": {"cam": {}, "joint": {}}}, "cam, joint"),
        ("attribution", ["--attributions=cam,joint"], {"details": {}, "metrics": {"joint": {}}}, None),
        ("wsol", [], [], None),
    ],
)
def test_replacing_the_results_of_another_map_is_said_before(checkpoint, capsys, name, words, before, lost):
    (checkpoint / "results").mkdir()
    path = checkpoint / "results" / f"{name}.json"
    path.write_text(json.dumps(before))
    start(checkpoint, *words, name=name)
    said = [line for line in capsys.readouterr().out.splitlines() if str(path) in line]
    assert len(said) == (lost is not None)
    assert lost is None or (f"{path} is of {lost}, and" in said[0] and "--tag=NAME keeps both" in said[0])


def test_a_checkpoint_is_looked_for_under_save_root(checkpoint, tmp_path):
    session = start("x", f"--save_root={tmp_path / 'save'}")
    assert session.restored.path == checkpoint / runs.LAST


def test_classes_of_the_network_beyond_those_of_the_data_are_noticed(tmp_path, capsys):
    tiny_cub(tmp_path, "test")
    args = parse([f"--data_root={tmp_path / 'dataset'}", f"--metadata_root={tmp_path / 'metadata'}"], "main")
    runs.evaluation_dataset(args, build_network("resnet18", "CAM", 200), "test")
    assert "notice" not in capsys.readouterr().out
    runs.evaluation_dataset(args, build_network("resnet18", "CAM", 201), "test")
    assert "notice: the network has 201 classes, CUB has 200" in capsys.readouterr().out


@pytest.mark.parametrize(("known", "said"), [(["0", "10", "2"], True), (["cat", "dog", "owl"], False)])
def test_classes_that_are_called_by_other_numbers_are_noticed(tmp_path, capsys, known, said):
    for name in "012":
        for number in range(3):
            write(tmp_path / f"photos/{name}/{number}.jpg", "")
    args = parse(["--dataset=folder", f"--data_root={tmp_path / 'photos'}", f"--metadata_root={tmp_path}"], "main")
    runs.ensure_data(args)
    runs.evaluation_dataset(args, build_network("resnet18", "CAM", 3), "test", class_names=known)
    assert ("notice: class 1 is 10 in the checkpoint and 1 in folder" in capsys.readouterr().out) == said


def test_a_label_beyond_the_network_s_classes_is_one_sentence(tmp_path):
    tiny_cub(tmp_path, "test")
    args = parse([f"--data_root={tmp_path / 'dataset'}", f"--metadata_root={tmp_path / 'metadata'}"], "main")
    assert len(runs.evaluation_dataset(args, build_network("resnet18", "CAM", 3), "test")) == 9
    with pytest.raises(UserError, match="label 2") as error:
        runs.evaluation_dataset(args, build_network("resnet18", "CAM", 2), "test")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "`load_checkpoint`"),
        (["--load_checkpoint=nowhere/"], "nowhere"),
        (["--architecture=resnet50"], "`architecture`"),
    ],
)
def test_mistakes_are_one_sentence(checkpoint, words, said):
    argv = words if not words or "load" in words[0] else [f"--load_checkpoint={checkpoint}", *words]
    with pytest.raises(UserError, match=said) as error:
        sessions.start_session(parse(argv, "eval_wsol"), "wsol")
    assert "\n" not in str(error.value)


def test_synthbirds_alone_is_drawn_where_it_is_missing(monkeypatch, capsys):
    asked = []

    def ensure(data_root, metadata_root, say):
        asked.append((data_root, metadata_root))
        say(f"notice: `data_root`={data_root} has no SynthBirds")

    monkeypatch.setitem(DATASETS, "SynthBirds", replace(DATASETS["SynthBirds"], ensure=ensure))
    for name in ("CUB", "SynthBirds"):
        runs.ensure_data(Munch(dataset_name=name, data_root="d", metadata_root="m"))
    assert asked == [("d", "m")]
    assert "notice: --data_root=d has no SynthBirds" in capsys.readouterr().out
