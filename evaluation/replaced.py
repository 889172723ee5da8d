"""Whether an evaluation is about to replace the results of other maps."""

import json
from collections.abc import Collection
from pathlib import Path

from calm.distributed import print0
from calm.errors import as_flags


def maps_in(results: Path) -> list[str]:
    """The maps that a results file is of; none where there is no such file, or another one."""
    try:
        content = json.loads(results.read_text(encoding="utf-8"))
        named, metrics = content["details"].get("attribution"), content["metrics"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []
    return [named] if named is not None else list(metrics)


def warn_of_replaced(results: Path, maps: Collection[str]) -> None:
    """Say which maps a results file is of that an evaluation of ``maps`` will write, where it loses one of them."""
    found = maps_in(results)
    if not set(found) <= set(maps):
        of = f"{', '.join(found)}, and this evaluation of {', '.join(maps)} replaces it"
        print0(as_flags(f"notice: {results} is of {of}: `tag`=NAME keeps both"))
