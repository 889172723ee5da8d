"""Run folders as main.py and one evaluation leave them, written by hand."""

import json
from pathlib import Path

import yaml

from calm import config, make_tables
from calm.flags import names, recorded
from calm.networks.checkpoint import CHECKPOINT_KEYS
from calm.tables.build import build_table
from calm.tables.run_results import read_results

PUBLISHED = yaml.safe_load(make_tables.PUBLISHED.read_text())
METRICS = {"mPxAP_1": 30.0, "mPxAP_2": 33.0, "mPxAP_3": 36.0, "mPxAP": 34.0}


def flags(script: str, **given) -> dict:
    words = [f"--{name}={value}" for name, value in given.items()]
    return recorded(config.parse(words, script))


def write_run(
    root: Path,
    name: str,
    method: str,
    seed: int,
    *,
    evaluation: str = "cue_location",
    attribution: str | None = None,
    metrics: dict | None = None,
    dataset: str = "CUB",
    tag: str | None = None,
    evaluated: dict | None = None,
    intervals: dict | None = None,
    data: dict | None = None,
    **trained,
) -> Path:
    """A run folder as main.py and one evaluation leave it, without a network."""
    folder = root / name
    training = {"experiment_name": name, "attribution_method": method, "dataset": dataset, "seed": seed, **trained}
    recorded = flags("main", **training)
    (folder / "results").mkdir(parents=True, exist_ok=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(recorded))
    if evaluation != "accuracy":
        shared = {key: recorded[key] for key in CHECKPOINT_KEYS}
        chosen = {"load_checkpoint": str(folder), **({"tag": tag} if tag else {}), **(evaluated or {})}
        process = {"score_map_process": attribution} if attribution else {}
        recorded = flags(f"eval_{evaluation}", **chosen, **process) | shared
        recorded = {key: value for key, value in recorded.items() if key not in names(trains=True)}
    content = {
        "evaluation": evaluation,
        "protocol": "paper",
        "config": recorded,
        "checkpoint": {"path": str(folder / "last_checkpoint.pth.tar"), "sha256": f"{name}-{seed}"},
        "metrics": metrics or METRICS,
        **({"data": data} if data else {}),
        **({"intervals": intervals} if intervals else {}),
        "details": {"attribution": attribution},
    }
    suffix = f"_{tag}" if tag else ""
    (folder / "results" / f"{evaluation}{suffix}.json").write_text(json.dumps(content))
    return folder


def rows_of(key: str, *folders: Path) -> dict[tuple, object]:
    table = build_table(key, PUBLISHED[key], read_results(folders))
    return {(row.dataset, row.name, row.settings): row for row in table.rows}
