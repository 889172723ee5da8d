"""The package as pip installs it: one import name, one command, and every file that the code reads."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from calm import errors
from calm.attribution import build_attribution
from calm.networks import build_network
from calm.training.run import Run
from tests.tiny_networks import tiny_batch, tiny_network

REPOSITORY = Path(__file__).resolve().parent.parent


def pip(*words: str) -> None:
    """pip without network, for this project alone: what it needs is here already."""
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", words[0], "--no-deps"]
    done = subprocess.run([*command, *words[1:]], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def python(code: str, *, folder: Path, path: Path) -> str:
    """What a fresh Python prints that was started in ``folder`` and has ``path`` among its site-packages."""
    words = [sys.executable, "-c", f"import site; site.addsitedir({str(path)!r})\n{code}"]
    env = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(words, cwd=folder, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """A folder of site-packages that holds the wheel and nothing else."""
    pytest.importorskip("hatchling", reason="hatchling is not installed (requirements-dev.txt)")
    folder = tmp_path_factory.mktemp("site")
    wheels = tmp_path_factory.mktemp("wheels")
    pip("wheel", "--no-build-isolation", f"--wheel-dir={wheels}", str(REPOSITORY))
    pip("install", f"--target={folder}", str(next(wheels.glob("*.whl"))))
    return folder


@pytest.fixture
def empty(tmp_path) -> Path:
    folder = tmp_path / "empty"
    folder.mkdir()
    return folder


def tracked(*patterns: str) -> set[str]:
    """Files of the checkout that match, without caches."""
    paths = {path for pattern in patterns for path in REPOSITORY.glob(pattern) if path.is_file()}
    return {str(path.relative_to(REPOSITORY)) for path in paths if "__pycache__" not in path.parts}


def test_the_wheel_adds_one_name_and_holds_every_file(site):
    assert {path.name for path in site.iterdir() if not path.name.endswith(".dist-info")} == {"calm", "bin"}
    rooms = [path.parent.name for path in REPOSITORY.glob("*/__init__.py")]
    assert {"networks", "data_loaders", "attribution", "explanation", "calm"} <= set(rooms)
    wanted = tracked("*.py", *(f"{room}/**/*" for room in rooms), "configs/*.yaml", "metadata/*.yaml", "metadata/*.txt")
    installed = {str(path.relative_to(site / "calm")) for path in (site / "calm").rglob("*") if path.is_file()}
    installed = {name for name in installed if "__pycache__" not in name}
    assert installed == {name.removeprefix("calm/") for name in wanted}


def test_the_wheel_works_from_an_empty_folder(site, empty):
    code = """
import sys, calm
assert "torch" not in sys.modules
from calm.explanation.page import ASSETS
from calm.data_loaders.catalogue import dataset_named
from calm.networks import build_network
print(calm.__file__)
network = build_network("resnet18", "CALM_EM", 3)
print(len(dataset_named("ILSVRC").supersets(1000, "dataset")), (ASSETS / "page.html").is_file(), network.num_classes)
"""
    lines = python(code, folder=empty, path=site).splitlines()
    assert lines == [str(site / "calm" / "__init__.py"), "1000 True 3"]
    assert not list(empty.iterdir())


def test_an_installed_module_does_not_hide_the_users_own(site, empty):
    (empty / "config.py").write_text("mine = True")
    assert python("import config, calm.config; print(config.mine)", folder=empty, path=site) == "True"


def test_an_editable_install_is_the_checkout(tmp_path, empty):
    pytest.importorskip("hatchling", reason="hatchling is not installed (requirements-dev.txt)")
    pip("install", "--no-build-isolation", f"--prefix={tmp_path / 'prefix'}", "--editable", str(REPOSITORY))
    [metadata] = (tmp_path / "prefix").rglob("*.dist-info")
    assert not (metadata.parent / "calm").exists()
    code = "import calm, calm.engine; print(calm.__file__, calm.engine.__file__)"
    expected = f"{REPOSITORY / 'calm' / '__init__.py'} {REPOSITORY / 'engine.py'}"
    assert python(code, folder=empty, path=metadata.parent) == expected


def calm(site: Path, folder: Path, *words: str) -> subprocess.CompletedProcess:
    """Run the console command of the installed package."""
    env = os.environ | {"PYTHONPATH": str(site)}
    return subprocess.run([str(site / "bin" / "calm"), *words], cwd=folder, env=env, capture_output=True, text=True)


def test_the_console_command(site, empty):
    listed = calm(site, empty, "--help")
    assert listed.returncode == 0 and "calm eval cue_location" in listed.stdout
    assert "CALM_EM_CUB" in calm(site, empty, "zoo", "list").stdout
    for words in (["train"], ["eval", "wsol"], ["explain"]):
        shown = calm(site, empty, *words, "--help")
        assert shown.returncode == 0 and shown.stdout.startswith(f"usage: calm {' '.join(words)} "), shown.stderr
    for words, said in (
        (["eval"], "cue_location"),
        (["fly"], "no such command"),
        (["train", "--epoch=1"], "--epochs"),
        (["train", "--config=configs/demo.yaml", "--is_train=False"], "--load_checkpoint is missing"),
    ):
        refused = calm(site, empty, *words)
        assert refused.returncode == 2 and refused.stderr.count("\n") == 1 and said in refused.stderr


def names(requirements: list[str]) -> set[str]:
    """Requirements without their comments and spaces."""
    return {"".join(line.split("#")[0].split()) for line in requirements} - {""}


def test_requirements_say_the_same_everywhere():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    [everything] = extras["all"]
    assert set(re.split(r"[\[\],]", everything)) - {"calm-attribution", ""} == set(extras) - {"all"}
    whole = [*project["dependencies"], *(line for name, lines in extras.items() if name != "all" for line in lines)]
    assert names((REPOSITORY / "requirements.txt").read_text().splitlines()) == names(whole)
    pinned = {line.split("==")[0].lower() for line in (REPOSITORY / "constraints.txt").read_text().splitlines()}
    developer = (REPOSITORY / "requirements-dev.txt").read_text().splitlines()
    needed = {re.split(r"[<>=]", line)[0].lower() for line in names([*whole, *developer[1:]])}
    assert needed <= pinned, sorted(needed - pinned)


def test_without_an_extra_its_maps_are_refused_in_one_sentence(monkeypatch):
    monkeypatch.setattr(errors, "is_installed", lambda package: False)
    images, targets = tiny_batch()
    for attribution, extra in (("sscam", "torchcam"), ("captum:LayerGradCam", "captum")):
        with pytest.raises(errors.UserError, match=rf"pip install '\.\[{extra}\]' from a clone"):
            build_attribution(attribution)(tiny_network("CAM"), images, targets)


def test_without_timm_its_trunks_are_refused_in_one_sentence(monkeypatch):
    monkeypatch.setattr(errors, "is_installed", lambda package: False)
    said = r"^timm is not installed: pip install '\.\[timm\]' from a clone of the project$"
    for architecture in ("timm:test_vit", "efficientnet_lite0"):
        with pytest.raises(errors.UserError, match=said):
            build_network(architecture, "CAM", 3)


def test_without_tensorboard_a_run_keeps_its_metrics(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(errors, "is_installed", lambda package: False)
    Run(tmp_path).record(epoch=1, step=3, loss=0.5)
    assert (tmp_path / "metrics.jsonl").read_text() == '{"epoch": 1, "step": 3, "loss": 0.5}\n'
    assert "[tensorboard]" in capsys.readouterr().out and not list(tmp_path.glob("events*"))
