"""Imports go one way: scripts -> rooms -> leaves; only scripts and the run's own modules see the flags."""

import ast
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
LEVELS = [
    {"errors", "atomic", "flags"},
    {"config", "distributed"},
    {"networks", "data_loaders", "metrics"},
    {"engine", "attribution", "wsol_eval"},
    {"pictures"},
    {"explanation", "training"},
    {"runs", "evaluation"},
    {"training_run", "evaluation_run", "tables"},
]
PACKAGES = ("networks", "data_loaders", "attribution", "wsol_eval", "explanation", "evaluation", "tables")
SEES_CONFIG = {"config", "runs", "training", "training_run", "evaluation_run", "tables"}
SCRIPTS = {"main", "explain", "make_tables", "make_figures"}


def level(room: str) -> int | None:
    if room in SCRIPTS or room.startswith("eval_"):
        return len(LEVELS)
    return next((rank for rank, rooms in enumerate(LEVELS) if room in rooms), None)


def imported_rooms(path: Path) -> set[str]:
    rooms = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            rooms |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            rooms.add(node.module.split(".")[0])
    return rooms


def test_imports_go_one_way():
    sources = list(REPOSITORY.glob("*.py")) + [
        p for room in PACKAGES
        for p in (REPOSITORY / room).rglob("*.py")
    ]  # fmt: skip
    wrong = []
    for path in sources:
        room = path.relative_to(REPOSITORY).parts[0].removesuffix(".py")
        assert level(room) is not None, f"{room}: give it a place in LEVELS"
        for other in imported_rooms(path):
            rank = level(other)
            if rank is None or other == room:
                continue
            if rank >= level(room):
                wrong.append(f"{path.relative_to(REPOSITORY)} imports {other}")
            if other in ("config", "flags") and level(room) < len(LEVELS) and room not in SEES_CONFIG:
                wrong.append(f"{path.relative_to(REPOSITORY)} sees the flags")
    assert not wrong
