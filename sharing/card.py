"""The model card: what the network is, how to load it, and the numbers that its result files state."""

from collections.abc import Sequence
from typing import Any

from calm.networks.checkpoint import Loaded
from calm.tables.run_results import Result

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
import calm  # pip install 'calm-attribution[hub]'
from PIL import Image

network = calm.load("{source}")
[explanation] = network.explain(Image.open("photo.jpg"))
print(explanation.sentence("{attribution}"))
```
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
    lines += ["\n## Use", USE.format(source=source, attribution=attribution)]
    if loaded.class_names:
        more = len(loaded.class_names) - NAMED
        lines.append("Classes: " + ", ".join(loaded.class_names[:NAMED]) + (f", and {more} more." if more > 0 else "."))
    lines.append("\n## Measured\n")
    return (
        "\n".join([*lines, *(_measured(results) if results else ["Nothing was measured of this checkpoint."])]) + "\n"
    )


def _measured(results: Sequence[Result]) -> list[str]:
    """A table of every number, and the commands that gave them."""
    rows = [
        (result.evaluation, result.attribution or "", metric, f"{value:.4g}")
        for result in results
        for metric, value in result.metrics.items()
        if value is not None
    ]
    commands = dict.fromkeys(command for result in results for command in result.commands)
    table = _table(("evaluation", "map", "metric", "value"), rows)
    return [*table, "\nBy these commands:\n", "```sh", *commands, "```"]


def _table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    """Lines of a Markdown table."""
    cells = [header, ["---"] * len(header), *rows]
    return ["| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |" for row in cells]
