"""Imports go one way: scripts -> rooms -> leaves, without circles; nothing below the scripts sees the config."""

import ast
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
LEVELS = [
    {"errors"},
    {"atomic", "flags"},
    {"config", "distributed"},
    {"networks", "data_loaders"},
    {"attribution", "wsol_eval"},
    {"engine", "pictures"},
    {"runs"},
    {"evaluation", "explanation"},
    {"training"},
    {"tables"},
    {"sharing"},
    {"experiments"},
]
PACKAGES = (
    "flags",
    "networks",
    "data_loaders",
    "pictures",
    "attribution",
    "wsol_eval",
    "training",
    "explanation",
    "evaluation",
    "tables",
    "sharing",
    "experiments",
)
SCRIPTS = {"main", "explain", "make_tables", "make_figures"}


def level(room: str) -> int | None:
    if room in SCRIPTS or room.startswith("eval_"):
        return len(LEVELS)
    return next((rank for rank, rooms in enumerate(LEVELS) if room in rooms), None)


def imported_rooms(path: Path) -> set[str]:
    """The rooms and root modules that a file imports, wherever in it."""
    rooms = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == "calm":
            rooms |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("calm."):
            rooms.add(node.module.split(".")[1])
    return rooms


def test_imports_go_one_way():
    sources = list(REPOSITORY.glob("*.py")) + [p for room in PACKAGES for p in (REPOSITORY / room).rglob("*.py")]
    wrong = []
    for path in sources:
        room = path.relative_to(REPOSITORY).parts[0].removesuffix(".py")
        assert level(room) is not None, f"{room}: give it a place in LEVELS"
        for other in imported_rooms(path) - {room}:
            assert level(other) is not None, f"{other}: give it a place in LEVELS"
            if level(other) >= level(room):
                wrong.append(f"{path.relative_to(REPOSITORY)} imports {other}")
    assert not wrong
