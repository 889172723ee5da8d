"""Published weights: fetched whole or not at all."""

import dataclasses
import hashlib
import io
import json
import re
import socket
import subprocess
import sys

import pytest
import torch

from calm import errors
from calm.errors import UserError
from calm.networks import build_network, load_network
from calm.networks.checkpoint_files import locate_checkpoint
from calm.networks.zoo import run as zoo
from calm.networks.zoo.entries import CHECKPOINTS, ENTRIES, IMAGENET
from tests.local_server import serving

NAME = "CALM_EM_CUB"


def checkpoint_of(name: str, num_classes: int | None = None) -> bytes:
    """A file with the names and shapes of a published checkpoint, every value the same zero: small."""
    recipe = {key: ENTRIES[name].recipe[key] for key in ("large_feature_map", "use_bn", "prior_activation")}
    with torch.device("meta"):
        network = build_network("resnet50", "CALM_EM", num_classes or ENTRIES[name].num_classes, **recipe)
    shapes = {key: value.shape for key, value in network.state_dict().items()}
    file = io.BytesIO()
    state = {f"module.{key}": torch.zeros(()).expand(shape) for key, shape in shapes.items()}
    torch.save({"architecture": "resnet50", "epoch": 40, "state_dict": state, "padding": torch.rand(100_000)}, file)
    return file.getvalue()


CONTENT = checkpoint_of(NAME)


@pytest.fixture
def site(tmp_path, monkeypatch):
    monkeypatch.setenv("CALM_HOME", str(tmp_path / "cache"))
    with serving({"/file": CONTENT}) as site:
        yield site


@pytest.fixture
def target(tmp_path):
    return tmp_path / "cache" / NAME / "last_checkpoint.pth.tar"


def fetch(site, name=NAME):
    return zoo.fetch(name, address=f"{site.address}/file")


def replace_entry(monkeypatch, name, **changes):
    monkeypatch.setitem(ENTRIES, name, dataclasses.replace(ENTRIES[name], **changes))


def left_over(target):
    return target.with_name(target.name + ".part")


def test_knows_the_six_checkpoints_and_the_trunks(capsys):
    assert list(CHECKPOINTS) == [f"CALM_{m}_{d}" for m in ("EM", "ML") for d in ("CUB", "OpenImages", "ImageNet")]
    assert [entry.accuracy for entry in CHECKPOINTS.values()] == [71.8, 70.1, 70.4, 59.6, 70.9, 70.6]
    assert len({entry.address for entry in ENTRIES.values()}) == len(ENTRIES)
    assert {entry.recipe["architecture"] for entry in IMAGENET.values()} == {
        "resnet50",
        "vgg16",
        "inception_v3",
        "resnet18",
    }
    zoo.main(["list"])
    listed = capsys.readouterr().out
    for entry in ENTRIES.values():
        assert entry.name in listed and entry.page in listed and f"{entry.accuracy:.2f} %" in listed


def test_fetch_records_the_hash_and_prints_the_command(site, target, capsys):
    zoo.main(["fetch", "calm-em-cub", "--address", f"{site.address}/file"])
    assert target.read_bytes() == CONTENT and not left_over(target).exists()
    note = json.loads((target.parent / "source.json").read_text())
    assert note["sha256"] == hashlib.sha256(CONTENT).hexdigest() and note["size"] == len(CONTENT)
    printed = capsys.readouterr().out
    assert "main.py --is_train=False --load_checkpoint=zoo:CALM_EM_CUB" in printed and "71.8" in printed
    assert locate_checkpoint("zoo:CALM_EM_CUB") == target
    requests = len(site.ranges)
    assert fetch(site) == target and len(site.ranges) == requests  # nothing is fetched twice


def test_the_module_runs_as_a_command(tmp_path, pytestconfig):
    command = [sys.executable, "-m", "networks.zoo", "--cache_dir", str(tmp_path), "list"]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=pytestconfig.rootpath, check=True)
    assert ran.stdout.startswith("CALM_EM_CUB") and not ran.stderr


def test_cache_dir_flag(site, tmp_path, capsys):
    zoo.main(["--cache_dir", str(tmp_path / "other"), "fetch", NAME, "--address", f"{site.address}/file"])
    assert (tmp_path / "other" / NAME / "last_checkpoint.pth.tar").read_bytes() == CONTENT
    assert f"CALM_HOME={tmp_path / 'other'}" in capsys.readouterr().out


@pytest.mark.parametrize("server_resumes", [True, False])
def test_a_broken_download_is_continued(site, target, server_resumes):
    site.break_after = 300_000
    with pytest.raises(UserError, match=r"cannot be fetched.*drive\.google\.com/file/d/.*save it as"):
        fetch(site)
    assert not target.exists() and left_over(target).stat().st_size == 300_000
    site.break_after, site.resumes = None, server_resumes
    assert fetch(site).read_bytes() == CONTENT
    assert site.ranges[-1] == "bytes=300000-"


def test_a_part_that_is_whole_already_is_kept(site, target):
    site.break_after = 300_000
    with pytest.raises(UserError):
        fetch(site)
    site.break_after = None
    left_over(target).write_bytes(CONTENT)
    assert fetch(site).read_bytes() == CONTENT and site.ranges == [None, f"bytes={len(CONTENT)}-"]
    assert not list(target.parent.glob("*.part*"))


def test_a_part_longer_than_the_file_is_thrown_away(site, target):
    site.break_after = 300_000
    with pytest.raises(UserError):
        fetch(site)
    site.break_after = None
    left_over(target).write_bytes(CONTENT + b"more")
    assert fetch(site).read_bytes() == CONTENT and site.ranges[1:] == [f"bytes={len(CONTENT) + 4}-", None]


def test_a_part_of_another_file_is_not_continued(site, target):
    target.parent.mkdir(parents=True)
    left_over(target).write_bytes(b"of something else")  # without a note that it is of this address
    assert fetch(site).read_bytes() == CONTENT and site.ranges == [None]
    target.unlink()
    site.break_after = 300_000
    with pytest.raises(UserError):
        fetch(site)
    changed = checkpoint_of(NAME)  # other padding
    site.files["/file"], site.mark, site.break_after = changed, '"second"', None
    target.with_name("source.json").unlink(missing_ok=True)
    assert fetch(site).read_bytes() == changed and site.ranges[-1] == "bytes=300000-"
    assert site.conditions == [None, None, '"first"']  # If-Range: go on only if it is the same file still


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "wrong content"),
        (b"\xef\xbb\xbf<!DOCTYPE html><html></html>", "web page"),
        (CONTENT[:-5000], "damaged|truncated"),
        (b"root:x:0:0:root:/root:/bin/bash\n", "no file of torch.save"),
        (checkpoint_of(NAME, num_classes=100), "conv_last.weight has shape .*another file"),
    ],
)
def test_what_is_not_the_network_is_refused(site, target, content, said):
    site.files["/file"], site.states_length = content, False
    with pytest.raises(UserError, match=said) as error:
        fetch(site)
    assert "\n" not in str(error.value) and not list(target.parent.iterdir())


def test_a_flipped_byte_is_refused(site, target):
    place = len(CONTENT) // 2
    site.files["/file"] = CONTENT[:place] + bytes([CONTENT[place] ^ 1]) + CONTENT[place + 1 :]
    with pytest.raises(UserError, match="checksum"):
        fetch(site)
    assert not target.exists()


def test_a_stalled_transfer_ends(site, target, monkeypatch):
    monkeypatch.setattr("calm.networks.zoo.download.STALL_SECONDS", 0.5)
    site.files["/file"], site.drips, site.states_length = b"PK", True, False
    with pytest.raises(UserError, match="stalled"):
        fetch(site)


def test_a_local_file_is_no_address(tmp_path):
    with pytest.raises(UserError, match="no address"):
        zoo.fetch(NAME, folder=tmp_path, address="file:///etc/passwd")


@pytest.mark.parametrize("content_type", ["text/html; charset=utf-8", "application/octet-stream"])
def test_a_web_page_is_refused(site, target, content_type):
    site.files["/file"] = b"\n<!DOCTYPE html><html><title>Google Drive - Quota exceeded</title></html>"
    site.content_type = content_type
    with pytest.raises(UserError, match="web page came instead of the file"):
        fetch(site)
    assert not target.exists() and not left_over(target).exists()


def test_wrong_hash_or_size_leaves_nothing(site, target, monkeypatch):
    for changes in ({"sha256_prefix": "0123abcd"}, {"size": 10}):
        replace_entry(monkeypatch, NAME, **{"sha256_prefix": "", "size": None} | changes)
        with pytest.raises(UserError, match="wrong content"):
            fetch(site)
        assert not target.exists() and not left_over(target).exists()
    replace_entry(monkeypatch, NAME, sha256_prefix=hashlib.sha256(CONTENT).hexdigest()[:8], size=len(CONTENT))
    assert fetch(site).read_bytes() == CONTENT


def test_a_changed_file_is_noticed(site, target):
    fetch(site).write_bytes(CONTENT[:-1])
    with pytest.raises(UserError, match="changed since it was fetched"):
        fetch(site)


def test_a_damaged_note_is_one_sentence(site, target):
    fetch(site)
    target.with_name("source.json").write_text("{")
    with pytest.raises(UserError, match=r"source.json: damaged"):
        fetch(site)


def test_missing_file_and_no_network_say_the_manual_way(site, target, capsys):
    assert errors.run(lambda: zoo.main(["fetch", NAME, "--address", f"{site.address}/nothing"])) == 2
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{free.getsockname()[1]}/file"
    assert errors.run(lambda: zoo.main(["fetch", NAME, "--address", closed])) == 2
    first, second = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error")]
    assert "404" in first and "refused" in second
    for line in (first, second):
        assert ENTRIES[NAME].page in line and str(target) in line


def test_a_path_in_place_of_an_address_is_one_sentence(tmp_path):
    with pytest.raises(UserError, match="https://") as error:
        zoo.fetch(NAME, folder=tmp_path, address=str(tmp_path / "file"))
    assert "\n" not in str(error.value)


def test_names(monkeypatch, tmp_path):
    monkeypatch.setenv("CALM_HOME", str(tmp_path))
    with pytest.raises(UserError, match="unknown: choose CALM_EM_CUB"):
        locate_checkpoint("zoo:CALM")
    with pytest.raises(UserError, match=re.escape("python -m calm zoo fetch CALM_ML_ImageNet first")):
        locate_checkpoint("zoo:calm_ml_imagenet")


def test_a_fetched_checkpoint_brings_its_recipe(site, tmp_path, monkeypatch):
    trained = build_network("resnet18", "CALM_ML", 4)
    recipe = ENTRIES["CALM_ML_OpenImages"].recipe | {"architecture": "resnet18"}
    replace_entry(monkeypatch, "CALM_ML_OpenImages", recipe=recipe, num_classes=4)
    content = {"architecture": "resnet18", "epoch": 40, "optimizer": {}}
    torch.save(content | {"state_dict": trained.state_dict()}, tmp_path / "file")
    site.files["/file"] = (tmp_path / "file").read_bytes()
    fetch(site, "CALM_ML_OpenImages")
    network, config = load_network("zoo:CALM_ML_OpenImages")
    assert config.attribution_method == "CALM_ML" and config.dataset_name == "OpenImages" and config.large_feature_map
    assert config.prior_activation == "relu" and network.head.detach_prior_sum
    assert all((ours == theirs).all() for ours, theirs in zip(network.parameters(), trained.parameters()))
