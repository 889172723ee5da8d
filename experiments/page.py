"""docs/results.md and the pages behind it that hold kept numbers, as Markdown."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from calm.atomic import write_text
from calm.attribution.catalogue import title_of
from calm.experiments import evidence
from calm.experiments.claims import ALL_LABELS, CLAIMS, MAIN_LABELS, Finding
from calm.experiments.plan import FEW_COPIES, NETWORKS, SUBSAMPLE

TABLES = ("table1", "table2", "table3", "figure5", "cam_family")
GENERATED = "<!-- Written by python -m experiments report: change experiments/, not this file. -->"


def write(out: Path, *, tables: Path) -> list[Path]:
    """Write the pages below ``out`` from what is kept in ``out/results/evidence`` and the tables' JSON files."""
    found = evidence.read(out / "results" / "evidence")
    known = {name: json.loads((tables / f"{name}.json").read_text(encoding="utf-8")) for name in TABLES}
    texts = {
        out / "results.md": results(found, known),
        out / "results" / "claims.md": all_settings(found, known),
        out / "results" / "real_birds.md": real_birds(found),
        out / "results" / "interventions.md": interventions(found),
    }
    for path, text in texts.items():
        write_text(path, text)
    return list(texts)


def rows(headings: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    every = [headings, ["---"] * len(headings), *lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in every)


def number(value: float | None, digits: int = 1) -> str:
    """A number, or a dash."""
    return "–" if value is None else f"{value:.{digits}f}".replace("-", "−")


def with_interval(value: float | None, interval: Sequence[float] | None, digits: int = 1) -> str:
    """A number and its 95 % interval."""
    if interval is None:
        return number(value, digits)
    return f"{number(value, digits)} [{', '.join(number(end, digits) for end in interval)}]"


def cell_text(cell: list[Finding] | str, labels: Collection[str]) -> str:
    """Those findings of a cell that have one of the labels one below the other, or why there are none."""
    if isinstance(cell, str):
        return cell
    return "<br>".join(finding.text() for finding in cell if finding.label in labels) or "not run"


def claim_table(found: Mapping[str, Any], tables: Mapping[str, Any], link: str, labels: Collection[str]) -> str:
    """A row per claim, a column per data set.

    Args:
        found: what is kept.
        tables: of the earlier runs.
        link: what comes before the links.
        labels: of the findings that are shown.
    """
    lines = [
        [
            f"{claim.name} ([figures]({link}{claim.link}))",
            claim.published,
            claim.measure,
            *(cell_text(cell(found, tables), labels) for cell in claim.cells),
        ]
        for claim in CLAIMS
    ]
    return rows(["claim", "paper", "measured", "real birds", "SynthBirds", "TinyImageNet"], lines)


def all_settings(found: Mapping[str, Any], tables: Mapping[str, Any]) -> str:
    """The table of claims for every setting."""
    return f"""{GENERATED}

# Every claim, every setting

As on [the page of results](../results.md), which explains the words, with CALM_ML and the lagging theta' beside.

{claim_table(found, tables, "", ALL_LABELS)}
"""


def results(found: Mapping[str, Any], tables: Mapping[str, Any]) -> str:
    """The page of claims."""
    table = claim_table(found, tables, "results/", MAIN_LABELS)
    return f"""{GENERATED}

# Results: what holds of the paper's claims

Each line is CALM minus CAM, or EM minus ML, with its 95 % interval. **holds**: the whole interval is on the claim's
side. **does not hold**: all of it is on the other side. **undecided**: neither. CALM_EM has the paper's softplus prior,
"ReLU prior" is the released code's. Other settings: [all of them](results/claims.md).

{table}

{headline(found)}

Real birds: 100 classes of CUB, cut to their boxes, 26 class pairs, efficientnet_lite0 at 128 px with an 8x8 grid; the
interval is a paired bootstrap over class pairs and their images, or over images, and says nothing of other training
seeds. SynthBirds and TinyImageNet: Student's t over the seeds 0, 1, 2 where there are three. No ResNet50 at 224 px was
trained, so no number of the paper's own tables is reproduced here.

## Behind this page

- [Real birds](results/real_birds.md): every score, alignment and map, what stands above prevalence, pair by pair.
- [Birds with a known cause](results/interventions.md): do maps lie on the parts that change the prediction?
- [Earlier runs](results/earlier_runs.md): SynthBirds, TinyImageNet, the CAM family, figures and speed, with commands.
- How every number is made: [what the evaluations measure](evaluation.md). `python -m experiments list` shows every run
  that this page rests on, `run` makes what is missing and says before how long it takes (`--reduced`: minutes, on
  SynthBirds alone where CUB is not there), `report` writes this page; `make reproduce` does both.
"""


def _cue(found: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for run, kept in found.items():
        for stem, result in kept.items():
            if stem.startswith("cue_location"):
                yield run, stem, result


def headline(found: Mapping[str, Any]) -> str:
    """In sentences: the best setting of CAM and of CALM on real birds, and whether one wins."""
    full = [(run, stem, result) for run, stem, result in _cue(found) if "max_images" not in _given(result)]
    if not full:
        return "Real birds were not run here."
    best = {}
    for is_cam in (True, False):
        own = [item for item in full if (item[2]["config"]["attribution_method"] == "CAM") is is_cam]
        if own:
            best[is_cam] = max(own, key=lambda item: item[2]["metrics"]["mPxAP"])
    if len(best) < 2:
        return "Only one of CAM and CALM was run on real birds here."
    texts = {is_cam: _setting(*item) for is_cam, item in best.items()}
    accuracies = {is_cam: found[item[0]]["accuracy"]["metrics"]["accuracy"] for is_cam, item in best.items()}
    gap = best[False][2]["metrics"]["mPxAP"] - best[True][2]["metrics"]["mPxAP"]
    loss = accuracies[True] - accuracies[False]
    wins = gap > 0 and loss <= 1
    outcome = (
        "So there is a setting in which CALM keeps CAM's accuracy within a point and finds the cue better."
        if wins
        else "So no setting was found in which CALM keeps CAM's accuracy within a point and finds the cue better."
    )
    return (
        f"On real birds the best of CAM is {texts[True]} (accuracy {number(accuracies[True])} %), the best of CALM "
        f"{texts[False]} (accuracy {number(accuracies[False])} %). {outcome}"
    )


def _given(result: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: value for name, value in result["config"].items() if value is not None}


def _setting(run: str, stem: str, result: Mapping[str, Any]) -> str:
    config, value = result["config"], result["metrics"]["mPxAP"]
    text = with_interval(value, result.get("intervals", {}).get("mPxAP"))
    return f"{run}, {config['score_map_process']}, {_how(config)}: mPxAP {text}"


def _how(config: Mapping[str, Any]) -> str:
    scaled = f", {config['norm_type']}" if config["score_map_process"] in ("cam",) else ""
    return f"{config['cue_score']} score{scaled}, {config['resize_alignment'].replace('_', ' ')}"


def real_birds(found: Mapping[str, Any]) -> str:
    """Cue localisation and accuracy on real birds."""
    names = [network.name for network in NETWORKS if network.name.startswith("birds_")]
    runs = {run: kept for run, kept in found.items() if run.rpartition("_s")[0] in names}
    accuracy = [
        [run, number(kept["accuracy"]["metrics"]["accuracy"]), str(kept["accuracy"]["config"]["epochs"])]
        for run, kept in runs.items()
        if "accuracy" in kept
    ]
    full, few = [], []
    for run, _, result in _cue(runs):
        config, intervals = result["config"], result.get("intervals", {})
        metrics, is_few = result["metrics"], "max_images" in _given(result)
        line = [run, title_of(config["score_map_process"]), _how(config)]
        line += [number(metrics[f"mPxAP_{n}"]) for n in (1, 2, 3)]
        line += [with_interval(metrics["mPxAP"], intervals.get("mPxAP"))]
        above = metrics["mPxAP"] - metrics["prevalence"]
        line += [with_interval(above, intervals.get("above_prevalence"))]
        pairs = [pair["above_prevalence_interval"] for pair in result["details"]["pairs"] if pair["PxAP"] is not None]
        line += [f"{sum(bool(ends) and ends[0] > 0 for ends in pairs)} of {len(pairs)}"]
        (few if is_few else full).append((metrics["mPxAP"], line))
    headings = [
        "run",
        "map",
        "score, alignment",
        "1 part",
        "2 parts",
        "3 parts",
        "mPxAP",
        "above prevalence",
        "pairs above",
    ]
    differences = [
        [key, with_interval(kept["difference"], kept["interval"], 2), str(kept["seeds"])]
        for key, kept in sorted(found.get("differences", {}).items())
    ]
    copies = FEW_COPIES["smooth_grad_nr_iter"]
    return f"""{GENERATED}

# Real birds

`cub100`: 5,902 photographs of 100 classes of CUB-200-2011, cut to CUB's boxes, with its keypoints; 2,699 train, 300
validate, 2,498 test. Pairs of which one class has no photographs are skipped, which leaves 26 (1, 9 and 16 of 1, 2
and 3 differing parts). The trunk starts from ImageNet weights and is trained for 3 epochs at 128 px, batch 32,
learning rate 0.01 (heads 0.1), a tenth of both in the last epoch. Chance is high, since the birds fill the pictures:
**prevalence** is what a constant map gets. "Pairs above" counts the class pairs whose own 95 % interval lies above it.

The reader who has all of CUB does the same with it: `python -m data_loaders.prepare CUB`, then
`python -m experiments run birds_`. A part of CUB is enough: `prepare` lists the photographs that are there.

## Accuracy on the test photographs

{rows(["run", "accuracy %", "epochs"], accuracy) if accuracy else "not run"}

## Cue localisation, every test image of the 26 pairs

{rows(headings, [line for _, line in sorted(full, reverse=True)]) if full else "not run"}

## Maps that cost several passes, on {SUBSAMPLE} test images

The same images for every map, drawn by seed 0. SmoothGrad, VarGrad and integrated gradients take {copies} copies here.

{rows(headings, [line for _, line in sorted(few, reverse=True)]) if few else "not run"}

## Paired differences

Mean over the seeds, and the 95 % interval of a paired bootstrap: the same draws of class pairs and images for both.

{rows(["difference", "mPxAP points, or R_k", "seeds"], differences) if differences else "not run"}

{per_pair(runs)}"""


def per_pair(runs: Mapping[str, Any]) -> str:
    """Pair by pair: what CAM's and CALM's own maps have above prevalence, by the text's score."""
    columns = {
        run: kept[stem]
        for run, kept in runs.items()
        for stem in ("cue_location_cam_text_grid", "cue_location_joint_text_grid")
        if stem in kept and run.endswith("_s0")
    }
    if not columns:
        return ""
    lines = []
    for position, pair in enumerate(next(iter(columns.values()))["details"]["pairs"]):
        if pair["PxAP"] is None:
            continue
        line = [f"{pair['class_a']}–{pair['class_b']}", ", ".join(pair["parts"]), str(pair["num_images"])]
        line.append(number(pair["prevalence"]))
        for result in columns.values():
            own = result["details"]["pairs"][position]
            line.append(with_interval(own["PxAP"] - own["prevalence"], own["above_prevalence_interval"]))
        lines.append(line)
    headings = ["pair", "parts", "images", "prevalence", *columns]
    return f"""## Pair by pair: PxAP above prevalence, text's score, grid

{rows(headings, lines)}
"""


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
        accuracy = number(kept["accuracy"]["metrics"]["accuracy"])
        number_of = result["details"]["num_images"]
        parts.append(f"## {run}: {number_of} birds, accuracy {accuracy} %\n\n{rows(headings, lines)}\n")
    copies = FEW_COPIES["smooth_grad_nr_iter"]
    body = "\n".join(parts) or "not run\n"
    return f"""{GENERATED}

# Birds with a known cause

Every test bird of SynthBirds drawn again with one part removed, or in a rival class's look of it
([what is measured](../evaluation.md#birds-with-a-known-cause)). 95 % intervals: images drawn again. SmoothGrad, VarGrad
and integrated gradients take {copies} copies. The map without knowledge gives a part its area, or its share of a
centred Gaussian.

{body}"""
