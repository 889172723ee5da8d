"""docs/results/real_birds.md: cue localisation and accuracy on photographs of birds."""

from collections.abc import Iterator, Mapping
from typing import Any

from calm.attribution.catalogue import title_of
from calm.evaluation.pixel_perturb.erasing import PERCENTAGES
from calm.evaluation.uninformed import UNINFORMED, UNTRAINED, titles
from calm.experiments.differences import IN_WORDS
from calm.experiments.markdown import GENERATED, number, rows, with_interval
from calm.experiments.plan import FEW_COPIES, SUBSAMPLE
from calm.experiments.trainings import BIRDS, NETWORKS

CLASSES = (
    "1 4 7 10 12-16 18 19 22 24 26 28 34 35 41 42 46-48 50-58 60 61 63 67-70 73 75 77 79-81 83 85-90 93-98 100 101 105 "
    "106 109 110 114 120 123 124 132 134 136 138-140 151 152 158 159 163-166 169 170 172 176 180 181 184-192 194 195 "
    "198 200"
)
"""Of cub100."""


def cue_results(found: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for run, kept in found.items():
        for stem, result in kept.items():
            if stem.startswith("cue_location") and result["metrics"]["mPxAP"] is not None:  # some pair was measured
                yield run, stem, result


def flags_given(result: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: value for name, value in result["config"].items() if value is not None}


def how(config: Mapping[str, Any]) -> str:
    scaled = f", {config['norm_type']}" if config["score_map_process"] in ("cam",) else ""
    offset = config.get("cell_offset")
    laid = config["resize_alignment"].replace("_", " ") if offset is None else f"cells at offset {offset:g}"
    return f"{config['cue_score']} score{scaled}, {laid}"


HEADINGS = (
    "run",
    "map",
    "score, alignment",
    "1 part",
    "2 parts",
    "3 parts",
    "mPxAP",
    "above prevalence",
    "pairs above",
    "untrained heads",
)


def accuracies(runs: Mapping[str, Any]) -> str:
    """A row per network: its accuracy, and how long it was trained."""
    lines = []
    for run, kept in runs.items():
        if result := kept.get("accuracy"):
            text = with_interval(result["metrics"]["accuracy"], result.get("intervals", {}).get("accuracy"))
            lines.append([run, text, str(kept["training"].get("epochs", "–"))])
    return rows(["run", "accuracy %", "epochs of its own"], lines) if lines else "not run"


def erased(runs: Mapping[str, Any]) -> str:
    """A row per network: R_k by its own map."""
    lines = []
    for run, kept in runs.items():
        if result := kept.get("pixel_perturb"):
            metrics, intervals = result["metrics"], result.get("intervals", {})
            line = [run, title_of(result["config"]["score_map_process"]), number(metrics["accuracy"])]
            line += [with_interval(metrics[f"R_{k}"], intervals.get(f"R_{k}"), 2) for k in PERCENTAGES]
            lines.append([*line, " ".join(number(metrics[f"Ar_{k}"]) for k in PERCENTAGES)])
    shown = ", ".join(map(str, PERCENTAGES))
    headings = ["run", "map", "accuracy %", *(f"R_{k}" for k in PERCENTAGES), f"accuracy %, {shown} % at random"]
    return rows(headings, lines) if lines else "not run"


def pairs_above(result: Mapping[str, Any]) -> str:
    """How many of the class pairs have their own 95 % interval above prevalence."""
    ends = [pair["above_prevalence_interval"] for pair in result["details"]["pairs"] if pair["PxAP"] is not None]
    return f"{sum(bool(own) and own[0] > 0 for own in ends)} of {len(ends)}"


def cue_line(run: str, result: Mapping[str, Any]) -> list[str]:
    """A row of cue localisation."""
    config, metrics, intervals = result["config"], result["metrics"], result.get("intervals", {})
    above = metrics["mPxAP"] - metrics["prevalence"]
    return [
        run,
        title_of(config["score_map_process"]),
        how(config),
        *(number(metrics[f"mPxAP_{parts}"]) for parts in (1, 2, 3)),
        with_interval(metrics["mPxAP"], intervals.get("mPxAP")),
        with_interval(above, intervals.get("above_prevalence")),
        pairs_above(result),
        number(result.get("baselines", {}).get(UNTRAINED, {}).get("mPxAP")),
    ]


def uninformed_lines(result: Mapping[str, Any]) -> list[list[str]]:
    """Rows of the maps that never looked at the images of a result."""
    lines = []
    for name, own in result.get("baselines", {}).items():
        if name in UNINFORMED:
            title = f"{titles(result['config']['crop_size'])[name]} (no knowledge)"
            parts = (number(own[f"mPxAP_{parts}"]) for parts in (1, 2, 3))
            above = number(own["mPxAP"] - result["metrics"]["prevalence"])
            lines.append(["–", title, "–", *parts, number(own["mPxAP"]), above, "–", "–"])
    return lines


def cue_table(runs: Mapping[str, Any], *, subsampled: bool) -> str:
    """A row per map and score, the highest mPxAP first, then maps without knowledge: every test image, or some."""
    chosen = [(run, own) for run, _, own in cue_results(runs) if ("max_images" in flags_given(own)) is subsampled]
    lines = [cue_line(*item) for item in sorted(chosen, key=lambda item: item[1]["metrics"]["mPxAP"], reverse=True)]
    return rows(HEADINGS, [*lines, *uninformed_lines(chosen[0][1])]) if lines else "not run"


def paired_differences(found: Mapping[str, Any]) -> str:
    """A row per kept difference."""
    lines = [
        [
            key,
            with_interval(kept["difference"], kept["interval"], 2),
            ", ".join(number(value, 2) for value in kept.get("each", [kept["difference"]])),
        ]
        for key, kept in sorted(found.get("differences", {}).items())
    ]
    return rows(["difference", "points, or R_k", "seed by seed"], lines) if lines else "not run"


def about() -> str:
    """The photographs, how networks were trained on them, and what the tables hold."""
    return f"""\
`cub100`: 5,902 photographs of 100 classes of CUB-200-2011, in a public copy that is cut to CUB's boxes and scaled to
227 px. Its names were lost and recovered by matching keypoints within each class; classes are certain, and the 405
test photographs whose match is not sure are left out. 2,699 train, 300 validate, 2,498 test. Pairs of which one class
has no photographs are skipped, which leaves 26 (1, 9 and 16 of 1, 2 and 3 differing parts). Classes by CUB's numbers:
{CLASSES}.
The test split is a part of CUB's own, and the SHA-256 of its `class_labels.txt` begins with 779d67b152c94f7d. The
trunk starts from ImageNet weights and is trained for {BIRDS["epochs"]} epochs at
{BIRDS["crop_size"]} px, batch {BIRDS["batch_size"]}, on a grid of 8x8 cells, learning rate {BIRDS["lr"]}
(heads ten times that) on a cosine schedule, but for what [the search of settings](search.md) chose. "sharp" has the
prior's temperature at 0.1, "16x16" a finer grid, "192" 192 px and a grid of 12x12, "CAM_then_X" is X trained from CAM's
checkpoint for as many epochs again, "CAM_192_then_X" the same at 192 px. Chance is high, since the birds fill the
pictures: **prevalence** is what a constant map gets, and "untrained heads" what the same map of the same trunk gets
with a head that never learnt. "Pairs above" counts the class pairs whose own 95 % interval lies above it. Intervals of
the accuracy draw the test images again; those over class pairs draw these as if no two shared a class, as eight classes
do, and are [rather narrow for one map alone](../evaluation.md#intervals).
Accuracy and mPxAP: higher is better; R_k: lower. The two scores, and maps on a grid of tiles or by receptive field:
[what the evaluations measure](../evaluation.md).

The reader who has all of CUB does the same with it: `python -m data_loaders.prepare CUB`, then
`python -m experiments run birds_`. These are whole photographs of all 200 classes, so the numbers will differ. A part
of CUB is enough: `prepare` lists the photographs that are there."""


def real_birds(found: Mapping[str, Any]) -> str:
    """Cue localisation and accuracy on real birds."""
    names = [network.name for network in NETWORKS if network.name.startswith("birds_")]
    runs = {run: kept for run, kept in found.items() if run.rpartition("_s")[0] in names}
    copies = FEW_COPIES["smooth_grad_nr_iter"]
    return f"""{GENERATED}

# Real birds

{about()}

## Accuracy on the test photographs

{accuracies(runs)}

## Cue localisation, every test image of the 26 pairs

{cue_table(runs, subsampled=False)}

## Maps that cost several passes, on {SUBSAMPLE} test images

The same images for every map, drawn by seed 0. SmoothGrad, VarGrad and integrated gradients take {copies} copies here.
The saliency p(z|x) is the same for both classes of a pair, so that their difference is a constant map by definition.

{cue_table(runs, subsampled=True)}

## Remove-and-classify, {SUBSAMPLE} test images

R_k: accuracy with the top k % of the pixels blurred over that with k % blurred at random, of the same images for every
run, drawn by seed 0. The claim is about the mean of {IN_WORDS}: with more erased at random the accuracy nears the 1 %
of chance, and R_k is a ratio of a few images.

{erased(runs)}

## Paired differences

Mean over the seeds, and the 95 % interval of a paired bootstrap: the same draws of class pairs and images for both.
It is of these trainings; how far others would differ shows what each seed has, and verdicts on
[the page of results](../results.md) ask that Student's t over the seeds is on the same side.

{paired_differences(found)}

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
