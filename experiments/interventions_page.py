"""docs/results/interventions.md: the tables of eval_intervention.py."""

from collections.abc import Mapping
from typing import Any

from calm.attribution.catalogue import title_of
from calm.experiments.markdown import GENERATED, number, rows, with_interval
from calm.experiments.plan import FEW_COPIES

KEYS = tuple(
    f"{asked}_{name}"
    for asked in ("removed", "rival")
    for name in ("rank_correlation", "largest_agrees", "completeness")
)
ASKED = ("rank", "largest %", "complete")
HEADINGS = ("map", *(f"{question}: {name}" for question in ("removed", "rival") for name in ASKED))


def interventions(found: Mapping[str, Any]) -> str:
    """The tables of eval_intervention.py."""
    parts = [_network(run, kept) for run, kept in found.items() if "intervention" in kept]
    copies = FEW_COPIES["smooth_grad_nr_iter"]
    body = "\n".join(parts) or "not run\n"
    return f"""{GENERATED}

# Birds with a known cause

Test birds of SynthBirds, chosen by seed 0, drawn again with one part removed, or in a rival class's look of it
([what is measured](../evaluation.md#birds-with-a-known-cause)); higher is better. 95 % intervals: images drawn
again. Maps that average over copies of a picture take {copies}; gradient maps are blurred as in the paper
(31 px). The map without knowledge gives a part its area, or its share of a centred Gaussian.

{body}"""


def _network(run: str, kept: Mapping[str, Any]) -> str:
    """A network: where its numbers are from, and a line per map."""
    result = kept["intervention"]
    accuracy = number(kept["accuracy"]["metrics"]["accuracy"]) if "accuracy" in kept else "–"
    epochs, birds = kept["training"].get("epochs", "–"), result["details"]["num_images"]
    return f"""## {run}: {birds} birds, {epochs} epochs, accuracy {accuracy} %

{provenance(kept, "intervention")}

{rows(HEADINGS, _lines(result))}
"""


def provenance(kept: Mapping[str, Any], stem: str) -> str:
    """Where the numbers of a results file are from: the checkpoint, and the commands."""
    result = kept[stem]
    return f"""Checkpoint, SHA-256: `{result["sha256"]}`.

```
{kept["training"]["command"]}
{result["command"]}
```"""


def _lines(result: Mapping[str, Any]) -> list[list[str]]:
    """A line per map, the best first."""
    unknowing = {f"{name.replace('_', ' ')} (no knowledge)": own for name, own in result["baselines"].items()}
    every = {**result["metrics"], **unknowing}
    lines = []
    for name in sorted(every, key=lambda name: _or_least(every[name][KEYS[0]]), reverse=True):
        ends = result["intervals"].get(name.split(" (")[0].replace(" ", "_"), {})
        values = [with_interval(every[name][key], ends.get(key), 0 if "largest" in key else 2) for key in KEYS]
        lines.append([title_of(name), *values])
    return lines


def _own_and_best(result: Mapping[str, Any]) -> list[str]:
    """For either question: the network's own map, the best of all maps, and the parts' areas."""
    metrics, texts = result["metrics"], []
    own = "joint" if "joint" in metrics else "cam"
    for key in KEYS[0], KEYS[3]:
        best = max(metrics, key=lambda name, key=key: _or_least(metrics[name][key]))
        for name, title in ((own, own), (best, title_of(best))):
            texts.append(f"{title} {with_interval(metrics[name][key], result['intervals'][name][key], 2)}")
        texts.append(number(result["baselines"]["constant"][key], 2))
    return texts


def _or_least(correlation: float | None) -> float:
    return -1.0 if correlation is None else correlation


def known_cause(found: Mapping[str, Any]) -> str:
    """A row per network: its own map, the best of all maps and the parts' areas, by the rank correlation."""
    lines = [
        [run, str(kept["intervention"]["details"]["num_images"]), *_own_and_best(kept["intervention"])]
        for run, kept in found.items()
        if "intervention" in kept
    ]
    headings = [
        "network",
        "birds",
        "part removed: own map",
        "best map",
        "areas",
        "rival's look: own map",
        "best map",
        "areas",
    ]
    return rows(headings, lines) if lines else "not run"
