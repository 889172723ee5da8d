"""docs/results/interventions.md: the tables of eval_intervention.py."""

from collections.abc import Mapping
from typing import Any

from calm.attribution.catalogue import title_of
from calm.experiments.markdown import GENERATED, number, rows, with_interval
from calm.experiments.plan import FEW_COPIES


def interventions(found: Mapping[str, Any]) -> str:
    """The tables of eval_intervention.py."""
    parts = []
    for run, kept in found.items():
        if "intervention" not in kept:
            continue
        result = kept["intervention"]
        keys = [
            f"{asked}_{name}"
            for asked in ("removed", "rival")
            for name in ("rank_correlation", "largest_agrees", "completeness")
        ]
        every = {
            **result["metrics"],
            **{f"{name.replace('_', ' ')} (no knowledge)": own for name, own in result["baselines"].items()},
        }
        order = sorted(every, key=lambda name: -(every[name][keys[0]] or -1))
        lines = []
        for name in order:
            ends = result["intervals"].get(name.split(" (")[0].replace(" ", "_"), {})
            values = [with_interval(every[name][key], ends.get(key), 0 if "largest" in key else 2) for key in keys]
            lines.append([title_of(name), *values])
        headings = [
            "map",
            "removed: rank",
            "removed: largest %",
            "removed: complete",
            "rival: rank",
            "rival: largest %",
            "rival: complete",
        ]
        accuracy = number(kept["accuracy"]["metrics"]["accuracy"]) if "accuracy" in kept else "–"
        epochs = kept["training"].get("epochs", "–")
        number_of = result["details"]["num_images"]
        parts.append(
            f"## {run}: {number_of} birds, {epochs} epochs, accuracy {accuracy} %\n\n{rows(headings, lines)}\n"
        )
    copies = FEW_COPIES["smooth_grad_nr_iter"]
    body = "\n".join(parts) or "not run\n"
    return f"""{GENERATED}

# Birds with a known cause

Test birds of SynthBirds, chosen by seed 0, drawn again with one part removed, or in a rival class's look of it
([what is measured](../evaluation.md#birds-with-a-known-cause)). 95 % intervals: images drawn again. Maps that average
over copies of a picture take {copies}; gradient maps are blurred as in the paper (31 px). The map without knowledge
gives a part its area, or its share of a centred Gaussian.

{body}"""


def known_cause(found: Mapping[str, Any]) -> str:
    """A row per network: its own map, the best of all maps and the parts' areas, by the rank correlation."""
    lines = []
    for run, kept in found.items():
        if "intervention" not in kept:
            continue
        result = kept["intervention"]
        own = "joint" if "joint" in result["metrics"] else "cam"

        def text(name: str, key: str, result: Mapping[str, Any] = result) -> str:
            return with_interval(result["metrics"][name][key], result["intervals"][name][key], 2)

        line = [run, str(result["details"]["num_images"])]
        for key in ("removed_rank_correlation", "rival_rank_correlation"):
            best = max(result["metrics"], key=lambda name, key=key, result=result: result["metrics"][name][key] or -1.0)
            areas = number(result["baselines"]["constant"][key], 2)
            line += [f"{own} {text(own, key)}", f"{title_of(best)} {text(best, key)}", areas]
        lines.append(line)
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
