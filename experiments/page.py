"""docs/results.md and the pages behind it that hold kept numbers, as Markdown."""

import json
import statistics
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from calm.atomic import write_text
from calm.experiments import evidence
from calm.experiments.birds_page import real_birds
from calm.experiments.causes import table_of_causes
from calm.experiments.cells import ALL_LABELS, MAIN_LABELS, NETWORKS
from calm.experiments.claims import CLAIMS
from calm.experiments.findings import Finding
from calm.experiments.headline import accuracy_and_cue, answer
from calm.experiments.interventions_page import interventions, known_cause
from calm.experiments.markdown import GENERATED, number, rows
from calm.experiments.plan import SUBSAMPLE
from calm.experiments.search_page import searched, summary
from calm.experiments.trainings import BIRDS

BEHIND_THIS_PAGE = """## Behind this page

- [Real birds](results/real_birds.md): every score, alignment and map, what stands above prevalence, pair by pair.
- [Search of settings](results/search.md): what was tried on held-out training photographs before, and what won.
- [Birds with a known cause](results/interventions.md): do maps lie on the parts that change the prediction?
- [Earlier runs](results/earlier_runs.md): SynthBirds, TinyImageNet, the CAM family, figures and speed, with commands.
- [The numbers](results/evidence/) of every run of real birds and of birds with a known cause, with its command and the
  hash of its checkpoint. The columns SynthBirds and TinyImageNet come from `results/table*.json`, `figure5.json` and
  `cam_family.json`.
- How to make it anew: `python -m experiments list` shows the runs behind real birds and known causes, `run` makes what
  is missing and says before how long it takes (`--reduced`: about 40 minutes, on SynthBirds alone where CUB is not
  there), `report` writes this page; `make reproduce` does both. The columns SynthBirds and TinyImageNet it does not
  make: their commands stand in the tables [1](results/table1.md), [2](results/table2.md), [3](results/table3.md),
  [of R_k](results/figure5.md) and [of the CAM family](results/cam_family.md)."""
TABLES = ("table1", "table2", "table3", "figure5", "cam_family")


def write(out: Path, *, tables: Path) -> list[Path]:
    """Write the pages below ``out`` from what is kept in ``out/results/evidence`` and the tables' JSON files."""
    found = evidence.read(out / "results" / "evidence")
    known = {name: _table(tables, name) for name in TABLES}
    texts = {
        out / "results.md": results(found, known, {"table1": _table(tables / "scratch", "table1")}),
        out / "results" / "claims.md": all_settings(found, known),
        out / "results" / "real_birds.md": real_birds(found),
        out / "results" / "interventions.md": interventions(found),
        out / "results" / "search.md": searched(found),
    }
    for path, text in texts.items():
        write_text(path, text)
    return list(texts)


def _table(folder: Path, name: str) -> dict[str, Any]:
    return json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))


def cell_text(cell: list[Finding] | str, labels: Collection[str]) -> str:
    """Those findings of a cell that have one of the labels one below the other, or why there are none."""
    if isinstance(cell, str):
        return cell
    texts = {finding.label: finding.text() for finding in cell}
    missing = [label for label in NETWORKS if label in labels and label not in texts and texts.keys() & NETWORKS.keys()]
    shown = [text for label, text in texts.items() if label in labels]
    return "<br>".join([*shown, *(f"{label}: not run" for label in missing)])


def claim_table(found: Mapping[str, Any], tables: Mapping[str, Any], link: str, labels: Collection[str]) -> str:
    """A row per claim, a column per data set.

    Args:
        found: what is kept.
        tables: of the earlier runs.
        link: what comes before the links to the pages of figures.
        labels: of the findings that are shown.
    """
    lines = [
        [
            claim.name,
            claim.published,
            claim.measure,
            *(cell_text(cell(found, tables), labels) for cell in claim.cells),
        ]
        for claim in CLAIMS
    ]
    earlier = f"{link}earlier_runs.md"
    on = [f"[real birds]({link}real_birds.md)", f"[SynthBirds]({earlier})", f"[TinyImageNet]({earlier})"]
    return rows(["claim", "paper", "measured", *on], lines)


def all_settings(found: Mapping[str, Any], tables: Mapping[str, Any]) -> str:
    """The table of claims for every setting."""
    return f"""{GENERATED}

# Every claim, every setting

As on [the page of results](../results.md), which explains the words, with CALM_ML and the lagging theta' beside.

{claim_table(found, tables, "", ALL_LABELS)}
"""


def without_knowledge(found: Mapping[str, Any], tables: Mapping[str, Any]) -> str:
    """What maps that know nothing of the image get; empty where the networks were not evaluated."""
    cue = found.get("birds_CAM_s0", {}).get("cue_location_cam_text_grid")
    boxes = found.get("SynthBirds_CAM_s0", {}).get("wsol_grid")
    if cue is None or boxes is None:
        return ""
    blank, blob = (number(cue["baselines"][name]["mPxAP"]) for name in ("constant", "centred_gaussian"))
    box = number(boxes["baselines"]["centred_gaussian"]["MaxBoxAccV2"])
    runs = [
        row["cells"]["MaxBoxAccV2"]["values"]
        for row in tables["table3"]["rows"]
        if (row["dataset"], row["status"]) == ("SynthBirds", "run")
    ]
    highest = number(max(statistics.fmean(values) for values in runs))
    return f"""**What a map without knowledge gets.** Real birds: a constant map {blank} mPxAP, a centred Gaussian
{blob}. SynthBirds: a centred Gaussian {box} MaxBoxAccV2, where the best network in the rows of WSOL has {highest}; and
more mPxAP than CAM, so that only the ReLU prior finds the cue there at all. On TinyImageNet boxes rank no method, and
R_k is above 1 for all ([figures](results/earlier_runs.md))."""


def spread(found: Mapping[str, Any]) -> str:
    """How far apart the seeds of CALM_EM are, in words; empty where there are not several."""
    kept = [found.get(f"birds_CALM_EM_s{seed}", {}).get("cue_location_joint_text_grid") for seed in (0, 1, 2)]
    cues = [number(own["metrics"]["mPxAP"]) for own in kept if own]
    return f"; CALM_EM's seeds have {', '.join(cues)}" if len(cues) > 1 else ""


def words() -> str:
    """What the page's words mean."""
    return f"""## Words

- **mPxAP**: mean over class pairs of the average precision with which the difference of both classes' maps finds the
  parts in which the classes differ ([how](evaluation.md)). **Above prevalence**: less what a constant map gets, the
  share of these pixels. The **text's score** is |s^A - s^B| of score maps as Section 5.2 writes it, the **released**
  score what the published code computes.
- **Cells as tiles**: a map's cells fill the picture as squares. **By receptive field**: where the trunk's strides and
  padding say that they look. **At offset 0**: where maps of drawn validation birds said that cells of this trunk look
  ([how](evaluation.md)), for CAM and CALM alike.
- **R_k**: accuracy with the top k % of the pixels erased over that with k % erased at random
  ([all k, on {SUBSAMPLE} real photographs](results/real_birds.md)). **MaxBoxAccV2**: boxes of maps against true boxes.
- **Networks**: `ema` has the lagging theta' in EM, `sharp` the prior's temperature at 0.1, `16x16` a finer grid,
  `192` pictures of 192 px, on a grid of 12x12; `CAM_then_X` is X trained on from CAM's checkpoint for as many epochs
  again, `CAM_192_then_X` from `CAM_192`'s; HaS, CutMix, ADL, ACoL and SPG are the training methods of Table 3. HaS
  hides squares of 4 px, the benchmark's default, and as `32px` wider ones ([why](methods.md#squares-of-has)). SPG
  learns at a tenth of the others' rate, since its losses are not finite at theirs."""


def results(found: Mapping[str, Any], tables: Mapping[str, Any], scratch: Mapping[str, Any]) -> str:
    """The page of claims."""
    table = claim_table(found, tables, "results/", MAIN_LABELS)
    return f"""{GENERATED}

# Results: what holds of the paper's claims

Each line is CALM minus CAM, or EM minus ML, with its 95 % interval. **holds**: the whole interval is on the claim's
side of 0, or of −1 for the accuracy. **does not hold**: all of it is on the other side. **undecided**: neither. The
intervals of real birds are over images and class pairs; Student's t over the seeds, "t", has to be on the same side
too. "One run" has no interval over seeds. CALM_EM has the paper's softplus prior, "ReLU prior" is the released code's
(`relu` in names of runs). Other settings: [all of them](results/claims.md). [Words](#words) are below.

{table}

{answer(found)}

{accuracy_and_cue(found)}

Own maps by the text's score, means over the seeds; R_k: lower is better. **Untrained heads** are the same map of the
same trunk with a head that never learnt: what stands above them is what training the head gave.

Real birds: 100 classes of CUB, cut to their boxes, 26 class pairs, efficientnet_lite0. Unless its name says otherwise
a network was trained for {BIRDS["epochs"]} epochs at {BIRDS["crop_size"]} px with an 8x8 grid; the first table is of
these, cells as tiles unless it says otherwise. The interval is a paired bootstrap over class pairs and their images,
or over images, of the mean over the seeds that were trained; [seed by seed](results/real_birds.md). SynthBirds and
TinyImageNet: Student's t over the seeds 0, 1, 2 where there are three. No ResNet50 at 224 px was trained, so no
number of the paper's own tables is reproduced here.

{without_knowledge(found, tables)}

{words()}

## What decides

What a choice changes. Some change more than their name says: a resolution changes the grid too; what starts from a
trained CAM has been trained twice as long, as has "CAM, twice as long"; and the networks from scratch are ResNet18,
of which the one with the ReLU prior hardly learnt ([figures](results/earlier_runs.md)). Where one seed is named it is
seed 0 against seed 0, and the interval is over images alone{spread(found)}. Scores and alignments of CAM and CALM
were tried with the same effort, all on the test photographs, so that the best of each is a best case.
{summary(found)}

{table_of_causes(found, tables, scratch)}

## Do maps lie on what changes the prediction?

Drawn birds, of which a part is removed or given a rival class's look. Spearman's correlation of what a map gives the
parts with the true effects, higher is better; "areas" is what the parts' areas alone would get
([all maps](results/interventions.md)).

{known_cause(found)}

{BEHIND_THIS_PAGE}
"""
