"""The model card: what the network is, how to load it, and the numbers that its result files state."""

from collections.abc import Mapping, Sequence
from typing import Any

from calm.errors import how_to_install
from calm.evaluation.directions import DIRECTIONS
from calm.evaluation.uninformed import titles
from calm.networks.checkpoint import Loaded
from calm.tables.groups import common_settings
from calm.tables.run_results import Result
from calm.tables.settings import in_words

FRONT = """---
library_name: calm
pipeline_tag: image-classification
tags:
- image-classification
- attribution
- calm
---
"""
USE = """
```python
import calm  # {install}
from PIL import Image

network = calm.load("{source}")
[explanation] = network.explain(Image.open("photo.jpg"))
print(explanation.sentence("{attribution}"))
```
"""
MEANING = """Without knowledge, where that is known: guessing, erasing at random, maps that never looked at the image,
and maps by heads that were never trained, on the same images. A number of which no way is better only goes with others.
"""
NAMED = 20
"""Class names that the card lists; config.json has all."""


def model_card(loaded: Loaded, results: Sequence[Result], *, name: str, source: str, attribution: str) -> str:
    """README.md of a shared network.

    Args:
        loaded: the network and its flags.
        results: of this very checkpoint; without any the card has no numbers.
        name: title.
        source: what ``calm.load`` takes.
        attribution: the method's map, a kind of ``Explanation``.
    """
    config, network = loaded.config, loaded.network
    facts = {
        "training method": network.method,
        "architecture": network.architecture,
        "data set": config.dataset_name,
        "classes": network.num_classes,
        "input": f"{config.crop_size} x {config.crop_size} pixels, RGB",
    }
    lines = [FRONT, f"# {name}\n", "Its attribution maps come from CALM's code (Kim et al., ICCV 2021).\n"]
    lines += _table(("", ""), [(key, str(value)) for key, value in facts.items()])
    lines += ["\n## Use", USE.format(install=how_to_install("hub"), source=source, attribution=attribution)]
    if loaded.class_names:
        more = len(loaded.class_names) - NAMED
        lines.append("Classes: " + ", ".join(loaded.class_names[:NAMED]) + (f", and {more} more." if more > 0 else "."))
    lines.append("\n## Measured\n")
    if results:
        lines += _measured(results, network.num_classes, titles(config.crop_size))
    else:
        lines.append("Nothing was measured of this checkpoint.")
    return "\n".join(lines) + "\n"


def _measured(results: Sequence[Result], num_classes: int, baselines: Mapping[str, str]) -> list[str]:
    """A table of every number with its meaning, and the commands that gave them."""
    rows = [
        (
            *(_evaluation(result, results), result.attribution or "", metric, f"{value:.4g}"),
            *_meaning(result, metric, num_classes, baselines),
        )
        for result in results
        for metric, value in result.metrics.items()
        if value is not None
    ]
    commands = dict.fromkeys(command for result in results for command in result.commands)
    table = _table(("evaluation", "map", "metric", "value", "better", "without knowledge"), rows)
    return [MEANING, *table, "\nBy these commands:\n", "```sh", *commands, "```"]


def _evaluation(result: Result, results: Sequence[Result]) -> str:
    """The evaluation, with the settings that tell it from others of the same map."""
    same = (result.evaluation, result.attribution)
    alike = [other for other in results if (other.evaluation, other.attribution) == same]
    settings = in_words(result.settings, leave_out=common_settings(alike))
    return f"{result.evaluation}, {settings}" if settings else result.evaluation


def _meaning(result: Result, metric: str, num_classes: int, baselines: Mapping[str, str]) -> tuple[str, str]:
    """Which way a number is better, and what is got without knowledge; empty where neither is known."""
    direction = DIRECTIONS.get(result.evaluation, {}).get(metric)
    found = [
        f"{result.baselines[name][metric]:.4g} ({title})"
        for name, title in baselines.items()
        if result.baselines.get(name, {}).get(metric) is not None
    ]
    if direction is not None and direction.by_chance is not None:
        found.append(f"{direction.by_chance(num_classes):.4g} (chance)")
    return ("" if direction is None else direction.better), ", ".join(found)


def _table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    """Lines of a Markdown table."""
    cells = [header, ["---"] * len(header), *rows]
    return ["| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |" for row in cells]
