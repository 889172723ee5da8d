"""The commands of the README and of docs/ parse, and what they name exists."""

import importlib
import re
import shlex
from pathlib import Path

import pytest

from calm import config
from calm.command import COMMANDS
from calm.flags.flag import SCRIPTS
from tests.explained import made_up_picture
from tests.test_explain import save_checkpoint

REPOSITORY = Path(__file__).resolve().parent.parent
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]


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


def anchors_of(page: str) -> set[str]:
    """What a link may name behind #, as GitHub makes it from the headings."""
    headings = re.findall(r"^#+ (.*)$", page, re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_links_of_every_page_lead_somewhere(path):
    for link in re.findall(r"\]\(([^)]*)\)", path.read_text()):
        place, _, anchor = link.partition("#")
        if not link.startswith("http"):
            target = path.parent / place if place else path
            assert link and target.exists(), link
            assert not anchor or anchor in anchors_of(target.read_text()), link


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_commands_of_every_page_parse(path, monkeypatch):
    monkeypatch.chdir(REPOSITORY)
    parsed = parsed_scripts(path.read_text())
    if path.name == "README.md":
        assert parsed >= {"main", "eval_cue_location", "eval_pixel_perturb", "eval_wsol"}


def parsed_scripts(page: str) -> set[str]:
    """Parse the commands of a page's sh blocks; the scripts that they call."""
    blocks = "\n".join(re.findall(r"```sh\n(.*?)```", page, re.S)).replace("\\\n", " ")
    parsed = set()
    for line in blocks.splitlines():
        words = shlex.split(line.removesuffix("&"), comments=True)
        for position, word in enumerate(words):
            script = word.removesuffix(".py")
            if word.endswith(".py") and script in SCRIPTS:
                config.parse(words[position + 1 :], script)
                parsed.add(script)
    return parsed


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
