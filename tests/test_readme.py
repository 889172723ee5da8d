"""The README's commands parse, and what it names exists."""

import importlib
import re
import shlex

import pytest

from calm import config
from calm.command import COMMANDS
from calm.flags.flag import SCRIPTS
from tests.explained import made_up_picture
from tests.test_explain import save_checkpoint


@pytest.fixture
def readme(request, monkeypatch) -> str:
    monkeypatch.chdir(request.config.rootpath)
    return (request.config.rootpath / "README.md").read_text()


def test_links_and_named_files_exist(readme, request):
    links = [link for link in re.findall(r"\]\(([^)]+)\)", readme) if not link.startswith("http")]
    table = readme.split("## Where things are")[1]
    named = [name for cell in re.findall(r"^\| (`.*?) \|", table, re.M) for name in re.findall(r"`(.+?)`", cell)]
    assert len(links) > 5 and len(named) > 15
    for name in (*links, *named):
        assert list(request.config.rootpath.glob(name)), name


def test_every_root_module_has_its_line(readme, request):
    patterns = re.findall(r"`(.+?)`", readme.split("## Where things are")[1])
    listed = {path for pattern in patterns if pattern.endswith(".py") for path in request.config.rootpath.glob(pattern)}
    assert set(request.config.rootpath.glob("*.py")) <= listed


def test_commands_parse(readme):
    blocks = "\n".join(re.findall(r"```sh\n(.*?)```", readme, re.S)).replace("\\\n", " ")
    parsed = set()
    for line in blocks.splitlines():
        words = shlex.split(line.removesuffix("&"), comments=True)
        for position, word in enumerate(words):
            script = word.removesuffix(".py")
            if word.endswith(".py") and script in SCRIPTS:
                config.parse(words[position + 1 :], script)
                parsed.add(script)
    assert parsed >= {"main", "eval_cue_location", "eval_pixel_perturb", "eval_wsol"}


def test_the_python_example_runs(readme, tiny_trunk, tmp_path, monkeypatch):
    """The code of "In your own code", on an untrained network of four birds."""
    save_checkpoint(tmp_path / "demo", "CALM_EM")
    made_up_picture().save(tmp_path / "bird.jpg")
    [code] = re.findall(r"```python\n(.*?)```", readme, re.S)
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    exec(code.replace("save/demo/", "demo/"), names)
    assert names["maps"].shape == (1, *names["explanation"].maps["joint"].shape)
    assert (tmp_path / "why.png").is_file()


def test_every_command_of_the_package_has_a_main():
    for name, (target, _) in COMMANDS.items():
        assert callable(importlib.import_module(f"calm.{target}").main), name
