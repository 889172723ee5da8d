"""The experiments: the pages equal what the code writes, steps run once, and verdicts follow from their intervals."""

import json
import re
import shlex
import shutil
import statistics
from types import SimpleNamespace

import numpy as np
import pytest
import yaml

from calm import config, errors
from calm.attribution.catalogue import title_of
from calm.command import find
from calm.errors import UserError
from calm.experiments import __main__ as experiments
from calm.experiments import differences as differences_of
from calm.experiments import evidence, headline, page, plan
from calm.experiments import run as running
from calm.experiments.birds_page import cue_results, how
from calm.experiments.causes import table_of_causes
from calm.experiments.cells import seeds_of
from calm.experiments.claims import CLAIMS
from calm.experiments.differences import difference, differences
from calm.experiments.findings import FAILS, HOLDS, OPEN, Finding, over_seeds
from calm.experiments.search_page import at_the_edge
from calm.experiments.trainings import trainings
from calm.flags import recorded

DOCS = experiments.DOCS
REDUCED = list(plan.steps(trainings(reduced=True), reduced=True))


def test_the_pages_are_what_the_code_writes(tmp_path):
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "evidence").symlink_to(DOCS / "results" / "evidence")
    for path in page.write(tmp_path, tables=DOCS / "results"):
        written = DOCS / path.relative_to(tmp_path)
        assert path.read_text() == written.read_text(), f"{written}: run python -m experiments report"


def test_what_is_kept_names_no_photograph():
    for path in (DOCS / "results" / "evidence").glob("*.json"):
        text = path.read_text()
        assert ".jpg" not in text and "image_id" not in text and "save/" not in text


def test_what_the_intervals_over_pairs_leave_out_is_of_the_kept_numbers():
    def above(network, stem):
        seeds = [json.loads(path.read_text()) for path in (DOCS / "results" / "evidence").glob(f"{network}_s?.json")]
        pairs = [{(p["class_a"], p["class_b"]): p for p in kept[stem]["details"]["pairs"]} for kept in seeds]
        return {key: statistics.fmean(own[key]["PxAP"] - own[key]["prevalence"] for own in pairs) for key in pairs[0]}

    def standard_errors(values):
        mean = statistics.fmean(values.values())
        products = {(a, b): (values[a] - mean) * (values[b] - mean) for a in values for b in values}
        alone = sum(product for (a, b), product in products.items() if a == b)
        together = sum(product for (a, b), product in products.items() if {*a} & {*b})
        return [f"{sum_**0.5 / len(values):.1f}" for sum_ in (alone, together)]

    cam = above("birds_CAM", "cue_location_cam_text_grid")
    calm = above("birds_CALM_EM_relu", "cue_location_joint_text_grid")
    text = (DOCS / "evaluation.md").read_text().split("Pairs that share a class")[1].split("An interval over images")[0]
    stated = re.findall(r"\d\.\d", text)
    assert stated == [*standard_errors(cam), *standard_errors({pair: calm[pair] - cam[pair] for pair in cam})]


@pytest.mark.parametrize("reduced", [False, True])
def test_every_step_is_a_command_that_parses(reduced):
    steps = list(plan.steps(trainings(reduced=reduced), reduced=reduced))
    files = [(step.run, step.result) for step in steps]
    assert len(set(files)) == len(files)
    for step in steps:
        name, words = find(list(step.words))
        script = {"train": "main"}.get(name, name.replace("eval ", "eval_"))
        args = config.parse(list(words), script)
        assert step.result == f"results/{script.removeprefix('eval_').replace('main', 'accuracy')}" + (
            f"_{args.tag}.json" if args.get("tag") else ".json"
        )


@pytest.fixture
def commands(monkeypatch, tmp_path):
    """What would run, in a folder where CUB is not; every command but the second leaves its result, that one fails."""
    seen: list[list[str]] = []

    def fake(words):
        seen.append(words)
        steps = [step for step in REDUCED if list(step.words) == words[3 : 3 + len(step.words)]]
        (step,) = [step for step in steps if any(word.endswith((f"={step.run}", f"/{step.run}")) for word in words)]
        path = tmp_path / "save" / step.run / step.result
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}") if len(seen) != 2 else None
        return SimpleNamespace(returncode=len(seen) == 2)

    monkeypatch.setattr(running.subprocess, "run", fake)
    monkeypatch.setattr(evidence, "collect", lambda *places: [])
    monkeypatch.setattr(page, "write", lambda *places, **more: [])
    return seen


def test_a_run_that_failed_goes_on_where_it_was(commands, tmp_path, capsys):
    words = ["run", "--reduced", f"--save_root={tmp_path / 'save'}", f"--data_root={tmp_path}"]
    assert errors.run(lambda: experiments.main(words)) == 2
    output = capsys.readouterr()
    assert "no images of CUB" in output.out and "minutes" in output.out and "goes on from here" in output.err
    assert errors.run(lambda: experiments.main(words)) == 0
    kinds = [next(word for word in words[3:] if word in ("train", "intervention", "wsol")) for words in commands]
    network = ["train", "intervention", "wsol", "wsol", "wsol"]  # the first one's second command failed and ran again
    assert kinds == [*network[:2], *network[1:], *network * (len(kinds) // 5 - 1)]
    assert len(commands) == 1 + sum(step.dataset == "SynthBirds" for step in REDUCED)
    ran = len(commands)
    assert errors.run(lambda: experiments.main(words)) == 0 and len(commands) == ran
    assert errors.run(lambda: experiments.main(["list", "--reduced", "nothing"])) == 2


def test_a_verdict_needs_the_whole_interval():
    cases = {(0.1, 2.0): HOLDS, (-2.0, -0.1): FAILS, (-1.0, 1.0): OPEN}
    for interval, verdict in cases.items():
        assert Finding("", 0, interval, 1).verdict == verdict
        assert Finding("", 0, tuple(-end for end in interval), -1).verdict == verdict
    assert Finding("", -0.2, (-0.9, 0.5), 1, tolerance=1.0).verdict == HOLDS and Finding("", 9, None, 1).verdict == OPEN
    seeds = [-2.5, -0.3, -1.2]  # their t interval goes from -4.1 to 1.4
    assert Finding("", -1.3, (-2.0, -0.6), 1, each=seeds).verdict == OPEN
    assert Finding("", -1.3, (-2.0, -0.6), 1, each=seeds).text().endswith("−2.5, −0.3, −1.2, t [−4.1, +1.4]")
    assert Finding("", -1.3, (-2.0, -0.6), 1, each=[-1.4, -1.3, -1.2]).verdict == FAILS
    assert Finding("", -1.3, (-2.0, 0.1), 1, each=[-1.4, -1.3, -1.2]).verdict == OPEN
    mean, (low, high) = over_seeds({0: 3.0, 1: 4, 2: 8}, {2: 2, 1: 1, 0: 1.0, 3: 99})
    assert mean == pytest.approx(11 / 3) and high - low == pytest.approx(
        2 * 4.302653 * statistics.stdev([2, 3, 6]) / 3**0.5
    )
    assert over_seeds({0: 3.0}, {0: 1.0}) == (2.0, None)


def test_paired_differences_need_the_same_pairs():
    def result(value: float, images: int, replicates: list[float]) -> dict:
        pairs = [{"class_a": 1, "class_b": 2, "num_images": images}]
        return {"metrics": {"mPxAP": value}, "details": {"pairs": pairs, "replicates": {"mPxAP": replicates}}}

    one, other = result(45, 9, list(np.arange(100.0))), result(40, 9, list(np.arange(100.0) - 5))
    assert difference([(one, other)], "mPxAP") == {"difference": 5, "interval": (5, 5), "seeds": 1, "each": [5]}
    with pytest.raises(ValueError, match="same class pairs"):
        difference([(one, result(40, 8, []))], "mPxAP")


def test_a_map_is_named_by_how_it_is_scored_and_laid():
    config = {
        "score_map_process": "cam",
        "cue_score": "text",
        "norm_type": "max",
        "resize_alignment": "receptive_field",
    }
    assert how(config) == "text score, max, receptive field"
    assert how({**config, "cell_offset": 0.0}) == "text score, max, cells at offset 0"


def test_results_without_a_measured_pair_are_left_out():
    empty = {"metrics": {"mPxAP": None}, "details": {"pairs": [], "replicates": {"mPxAP": []}}}
    maps = {"birds_CAM_s0": "cam", "birds_CALM_EM_s0": "joint"}
    stems = {run: {f"cue_location_{name}_text_grid": empty} for run, name in maps.items()}
    assert not dict(differences(stems)) and not list(cue_results(stems))


def test_accuracies_are_compared_image_by_image():
    def result(right: str) -> dict:
        details = {"num_images": len(right), "right": right}
        return {"metrics": {"accuracy": 100 * right.count("1") / len(right)}, "details": details}

    one, other = result("1101" * 100), result("1001" * 100)  # one is right wherever the other is
    found = difference([(one, other)], "accuracy")
    width = found["interval"][1] - found["interval"][0]
    assert found["difference"] == 25 and width / (2 * 1.96) == pytest.approx(100 * (0.25 * 0.75 / 400) ** 0.5, rel=0.15)
    assert difference([(one, one)], "accuracy")["interval"] == (0, 0)
    cell = CLAIMS[4].cells[0]
    kept = {"differences": {"birds_CALM_EM - birds_CAM, accuracy": found}}
    assert [(own.label, own.difference, own.verdict) for own in cell(kept, {})] == [("CALM_EM", 25, HOLDS)]


def test_a_run_that_was_trained_otherwise_is_no_evidence(tmp_path):
    training = next(trainings())
    place = tmp_path / "save" / training.run
    (place / "results").mkdir(parents=True)
    flags = {"experiment_name": training.run, **training.flags}
    trained = config.parse([f"--{name}={value}" for name, value in flags.items()], "main")
    content = {"evaluation": "accuracy", "config": dict(trained), "metrics": {"accuracy": 70.0}, "checkpoint": None}
    (place / "results" / "accuracy.json").write_text(json.dumps({**content, "details": {}}, default=list))
    (place / "results" / "cue_location_val.json").write_text(
        "{}"
    )  # a result of one's own, which the plan knows nothing of
    said: list[str] = []
    for epochs, names in ((1, []), (training.flags["epochs"], [training.run])):
        (place / "config.yaml").write_text(yaml.safe_dump(recorded(trained.replaced(epochs=epochs))))
        assert evidence.collect([training], tmp_path / "save", tmp_path / "kept", said.append) == names
    assert len(said) == 1 and "--epochs=1, and the plan says --epochs=3" in said[0]
    assert {*evidence.read(tmp_path / "kept")[training.run]} == {"accuracy", "training"}
    kept = evidence.read(tmp_path / "kept")[training.run]["training"]
    assert "--architecture=efficientnet_lite0" in kept["command"] and "--crop_size=128" in kept["command"]
    (place / "config.yaml").write_text(yaml.safe_dump(recorded(trained.replaced(large_feature_map=True))))
    assert evidence.collect([training], tmp_path / "save", tmp_path / "new", said.append) == []
    assert "--large_feature_map=True, and the plan says nothing of it" in said[1]
    words = ["run", training.run, f"--save_root={tmp_path / 'save'}", f"--data_root={tmp_path}", f"--out={tmp_path}"]
    (tmp_path / "CUB").mkdir()
    with pytest.raises(UserError, match="large_feature_map=True, and the plan says nothing of it: move it away"):
        experiments.main(words)


def test_a_kept_command_gives_its_result_again():
    """A training's says the whole network; an evaluation's names the run folder, and a crop that is not the run's."""
    training = next(trainings())
    flags = {"experiment_name": training.run, **training.flags}
    trained = recorded(config.parse([f"--{name}={value}" for name, value in flags.items()], "main"))
    shared = {"protocol": "paper", "metrics": {}, "checkpoint": None, "details": {}}
    accuracy = evidence.kept_of({"evaluation": "accuracy", "config": trained, **shared}, trained)
    assert recorded(config.parse(shlex.split(accuracy["command"])[2:], "main")) == trained
    words = ["--erase=mean", "--max_images=9", "--crop_size=96", "--tag=x", "--load_checkpoint=/elsewhere/x"]
    args = config.parse([*words, "--architecture=efficientnet_lite0", "--resize_size=144"], "eval_pixel_perturb")
    perturbed = evidence.kept_of({"evaluation": "pixel_perturb", "config": recorded(args), **shared}, trained)
    again = config.parse(shlex.split(perturbed["command"])[2:], "eval_pixel_perturb")
    assert {name: again[name] for name in again.given} == {
        **{"erase": "mean", "max_images": 9, "crop_size": 96, "tag": "x"},
        "load_checkpoint": training.run,
    }
    assert "epochs" in accuracy["config"] and "epochs" not in perturbed["config"]


def test_what_is_kept_of_a_training_that_the_plan_no_longer_has_goes(tmp_path):
    training = next(trainings())
    said: list[str] = []
    for command, stays in ((evidence.planned_command(training), True), ("python main.py --lr=0.5", False)):
        kept = {"training": {"command": command}, "accuracy": {"sha256": "a", "metrics": {"accuracy": 70.0}}}
        (tmp_path / f"{training.run}.json").write_text(json.dumps(kept))
        evidence.collect([training], tmp_path / "nothing", tmp_path, said.append)
        assert (tmp_path / f"{training.run}.json").is_file() is stays and len(said) == (not stays)


def test_a_difference_goes_with_the_networks_that_it_is_of(tmp_path):
    """What is kept of two networks stays where one is gone, until the other is another network."""
    cam, calm = (next(own for own in trainings() if own.run == f"birds_{name}_s0") for name in ("CAM", "CALM_EM"))

    def write(training: plan.Training, sha256: str, right: str) -> None:
        place = tmp_path / "save" / training.run
        (place / "results").mkdir(parents=True, exist_ok=True)
        flags = {"experiment_name": training.run, **training.flags}
        trained = config.parse([f"--{name}={value}" for name, value in flags.items()], "main")
        (place / "config.yaml").write_text(yaml.safe_dump(recorded(trained)))
        content = {"evaluation": "accuracy", "config": dict(trained), "checkpoint": {"sha256": sha256}}
        content |= {"metrics": {"accuracy": 25.0 * right.count("1")}, "details": {"num_images": 4, "right": right}}
        (place / "results" / "accuracy.json").write_text(json.dumps(content, default=list))

    def kept() -> dict:
        evidence.collect([cam, calm], tmp_path / "save", tmp_path / "kept", print)
        return evidence.read(tmp_path / "kept")["differences"]

    write(cam, "a", "1100")
    write(calm, "b", "1110")
    key = "birds_CALM_EM - birds_CAM, accuracy"
    assert kept()[key]["difference"] == 25
    shutil.rmtree(tmp_path / "save" / calm.run)
    assert kept()[key]["difference"] == 25
    write(cam, "c", "1111")
    assert key not in kept()


def test_claims_read_what_stands_in_the_tables():
    tables = {name: json.loads((DOCS / "results" / f"{name}.json").read_text()) for name in page.TABLES}
    relu = seeds_of(tables, "table1", "SynthBirds", "CALM_EM", "ReLU prior, detached sum", ("mPxAP",))
    cam = seeds_of(tables, "table1", "SynthBirds", "CAM", "", ("mPxAP",))
    found = {finding.label: finding for finding in CLAIMS[0].cells[1]({}, tables)}
    mean = {name: statistics.fmean(own.values()) for name, own in (("relu", relu), ("cam", cam))}
    assert [*cam] == [0, 1, 2] and found["ReLU prior"].difference == pytest.approx(mean["relu"] - mean["cam"])
    assert all(cell({}, tables) for claim in CLAIMS for cell in claim.cells)


def kept_differences(**intervals: tuple[float, float]) -> dict:
    """What is kept of a network less its CAM."""
    names = {"accuracy": "accuracy", "cue": "text, grid"} | {
        name: f"{name}, 300 images" for name in differences_of.RIVALS
    }
    pair = "birds_CALM_EM - birds_CAM"
    own = {name: {"difference": sum(ends) / 2, "interval": ends, "each": [0.0]} for name, ends in intervals.items()}
    return {"differences": {f"{pair}, {names[name]}": kept for name, kept in own.items()}}


def test_a_setting_wins_with_cams_accuracy_and_above_every_rival():
    above, least = dict.fromkeys(differences_of.RIVALS, (1.0, 3.0)), differences_of.RIVALS[2]
    for expected, accuracy, cue, rivals in (
        (
            "**No**. Of the networks of CALM (1, each laid in two ways) the nearest is CALM_EM minus CAM: "
            "accuracy −1.5 [−1.9, −1.1], mPxAP +2.0",
            (-1.9, -1.1),
            (1, 3),
            above,
        ),
        ("**No**. Of the networks of CALM (1,", (-0.9, 0.5), (-3, -1), above),
        (
            "**Undecided**. Of the networks of CALM (1, each laid in two ways) the nearest is CALM_EM minus CAM: "
            "accuracy −0.5 [−1.2, +0.2]",
            (-1.2, 0.2),
            (1, 3),
            above,
        ),
        (
            f"CALM_EM's own map minus {title_of(least)} of CAM: −2.0 [−3.0, −1.0] (cells as tiles).",
            (-1.2, 0.2),
            (1, 3),
            {**above, least: (-3.0, -1.0)},
        ),
        ("**Yes**: CALM_EM", (-0.9, 0.5), (1, 3), above),
        ("**Undecided**: CALM_EM", (-0.9, 0.5), (1, 3), {**above, least: (-1.0, 2.0)}),
        ("**No**: CALM_EM", (-0.9, 0.5), (1, 3), {**above, least: (-3.0, -1.0)}),
        ("not compared with Finer-CAM, ", (-0.9, 0.5), (1, 3), {}),
    ):
        found = kept_differences(accuracy=accuracy, cue=cue, **rivals)
        assert expected in headline.answer(found), (expected, headline.answer(found))
    assert "not both run" in headline.answer({})
    assert "corrected for it; rivals were run beside CAM alone." in headline.answer(
        kept_differences(accuracy=(-1.2, 0.2), cue=(1, 3), **above)
    )
    assert headline.answer(kept_differences(accuracy=(-1.2, 0.2), cue=(1, 3))).endswith("corrected for it.")


def test_a_rate_at_the_edge_of_the_search_is_named():
    trials = [{"tried": {"lr": rate}} for rate in (0.01, 0.03)]
    kept = {
        "trials": [*trials, {"tried": {"lr_classifier_ratio": 3}}],
        "chosen": {"CAM": trials[0], "CALM_EM": trials[0]},
    }
    assert "lowest rate won" in at_the_edge(kept)
    assert at_the_edge(kept | {"chosen": {"CAM": trials[0], "CALM_EM": trials[1]}}) == ""


def test_networks_of_real_birds_are_means_over_their_seeds():
    def kept(accuracy: float, cue: float) -> dict:
        located = {
            f"cue_location_cam_text_{name}": {
                "metrics": {"mPxAP": cue + more, "prevalence": 40.0},
                "baselines": {"untrained_heads": {"mPxAP": cue - 2}},
            }
            for name, more in (("grid", 0), ("offset_0", 1.5))
        }
        erased = {"R_10": 0.9, "R_30": 0.5, "R_50": accuracy / 100, "R_70": 3.0}
        return {"accuracy": {"metrics": {"accuracy": accuracy}}, "pixel_perturb": {"metrics": erased}, **located}

    found = {"birds_CAM_s0": kept(75, 44), "birds_CAM_s1": kept(77, 48)}
    assert "| CAM | 76.0 | 46.0 | 6.0 | 44.0 | 47.5 | 0.72 | 2 |" in headline.accuracy_and_cue(found)
    del found["birds_CAM_s1"]["pixel_perturb"]
    assert "| CAM | 76.0 | 46.0 | 6.0 | 44.0 | 47.5 | – | 2 |" in headline.accuracy_and_cue(found)


def test_the_answer_names_what_is_nearest_beside_the_most_accurate_cam_too():
    def kept(accuracy: float) -> dict:
        located = {"metrics": {"mPxAP": 40.0, "prevalence": 40.0}}
        return {"accuracy": {"metrics": {"accuracy": accuracy}}, "cue_location_cam_text_grid": located}

    found = kept_differences(accuracy=(-0.5, 0.5), cue=(-1, 1))
    pair = "birds_CALM_EM_192 - birds_CAM_192"
    for name, ends in (("accuracy", (-9.0, -7.0)), ("text, grid", (-3.0, -1.0))):
        found["differences"][f"{pair}, {name}"] = {"difference": sum(ends) / 2, "interval": ends, "each": [0.0]}
    other = "Beside the most accurate CAM it is CALM_EM_192 minus CAM_192: accuracy −8.0 [−9.0, −7.0], mPxAP −2.0"
    nearest = "Of the networks of CALM (2, each laid in two ways) the nearest is CALM_EM minus CAM: accuracy +0.0"
    answer = headline.answer(found | {"birds_CAM_s0": kept(77), "birds_CAM_192_s0": kept(87)})
    assert nearest in answer and other in answer
    erased = {"difference": -0.25, "interval": (-0.5, 0.0), "each": [0.0]}
    found["differences"]["birds_CALM_EM - birds_CAM, R_10, R_30 and R_50"] = erased
    assert "+0.0 [−1.0, +1.0] (cells as tiles), mean R_k −0.25 [−0.50, +0.00]." in headline.answer(found)
    answer = headline.answer(found | {"birds_CAM_s0": kept(88), "birds_CAM_192_s0": kept(87)})
    assert nearest in answer and "Beside" not in answer


def test_own_maps_are_compared_with_those_of_the_cam_that_started_alike():
    def located(value: float) -> dict:
        pairs = [{"class_a": 1, "class_b": 2, "num_images": 9}]
        details = {"pairs": pairs, "replicates": {"mPxAP": [value] * 100}}
        return {"metrics": {"mPxAP": value}, "details": details}

    maps = {"cam": 40.0, "finercam": 43.0}
    few = "cue_location_{}_text_grid_300".format
    found = {
        "birds_CAM_s0": {few(name): located(value) for name, value in maps.items()},
        "birds_CAM_then_CAM_s0": {few(name): located(value + 5) for name, value in maps.items()},
        "birds_CALM_EM_s0": {few("joint"): located(44)},
        "birds_CAM_then_CALM_EM_s0": {few("joint"): located(44)},
    }
    kept = dict(differences(found))
    assert kept["birds_CALM_EM - birds_CAM, finercam, 300 images"]["difference"] == 1
    assert kept["birds_CAM_then_CALM_EM - birds_CAM_then_CAM, finercam, 300 images"]["difference"] == -4


@pytest.mark.parametrize("rates", [(0.01, 0.01), (0.01, 0.03)])
def test_a_choice_that_comes_with_another_says_so(rates):
    """Once each network has the settings that its search chose, the prior may not be all that differs."""
    own = {"difference": 1.0, "interval": [0.5, 1.5], "seeds": 3}
    chosen = {name: {"tried": {"lr": rate}} for name, rate in zip(("CALM_EM", "CALM_EM_relu"), rates)}
    kept = {"differences": {"birds_CALM_EM_relu - birds_CALM_EM, text, grid": own}, "search": {"chosen": chosen}}
    table = table_of_causes(kept, {"table1": {"rows": []}}, {"table1": {"rows": []}})
    assert "prior: ReLU - softplus" in table
    assert ("`lr`=0.03 - `lr`=0.01" in table) is (rates[0] != rates[1])


def test_runs_are_compared_seed_by_seed():
    """A row that has other seeds is compared over those that both have, and not place by place."""

    def row(name: str, settings: str, values: dict[int, float], **more) -> dict:
        cells = {"mPxAP": {"values": [*values.values()]}}
        facts = {"dataset": "SynthBirds", "row": name, "settings": settings, "status": "run"}
        return {**facts, "seeds": [*values], "cells": cells, **more}

    rows = [
        row("CAM", "", {0: 10.0, 1: 30, 2: 20}),
        row("CALM_EM", "", {1: 31.0, 2: 22}),
        row("CALM_EM", "ReLU prior, detached sum", {2: 27.0}),
        row("CALM_ML", "", {0: 12.0, 1: 33}, seeds=[0, 1, 2]),  # one of the three lacks the metric, unknown which
    ]
    tables = {"table1": {"rows": rows}}
    found = {own.label: (own.difference, own.interval is None) for own in CLAIMS[0].cells[1]({}, tables)}
    assert found == {"CALM_EM": (1.5, False), "ReLU prior": (7, True)}
    assert CLAIMS[5].cells[1]({}, tables) == "not run"
    lines = table_of_causes({}, tables, {"table1": {"rows": rows[:3]}}).splitlines()
    assert "| SynthBirds | prior: ReLU - softplus | 5.0 | 1 |" in lines  # 27 - 22, both of seed 2


def test_a_network_starts_from_another_run_and_then_resumes_itself(tmp_path):
    (step,) = [own for own in plan.steps(trainings()) if own.run == "birds_CAM_then_CALM_EM_s0" and own.starts_from]
    places = running.Places(str(tmp_path), "d", "m")
    args = config.parse(places.words(step)[1:], "main")
    assert args.load_checkpoint == str(tmp_path / "birds_CAM_s0") and args.attribution_method == "CALM_EM"
    (training,) = [own for own in trainings() if own.run == step.run]
    started = evidence.command_of(recorded(args.replaced(experiment_name=step.run)))
    assert evidence.otherwise(training, started) is None
    elsewhere = evidence.command_of(recorded(args.replaced(load_checkpoint="save/birds_CAM_s1/")))
    assert "--load_checkpoint=birds_CAM_s1, and the plan says --load_checkpoint=birds_CAM_s0" in str(
        evidence.otherwise(training, elsewhere)
    )
    (tmp_path / step.run).mkdir()
    (tmp_path / step.run / "config.yaml").touch()
    assert {"--resume"} == {word for word in places.words(step) if "resume" in word or "load_checkpoint" in word}
    order = [training.run for training in trainings()]
    assert all(order.index(own.starts_from) < order.index(own.run) for own in trainings() if own.starts_from)


def test_what_a_network_has_of_its_own_is_not_searched():
    won = {"CAM": {"tried": {"lr": 0.03, "crop_size": 96}, "cost": 0.5}}
    rates = {own.network.method: (own.flags["lr"], own.flags["crop_size"]) for own in trainings(chosen=won)}
    assert rates["SPG"] == (0.001, 96) and rates["HaS"] == (0.03, 96) and rates["CALM_ML"] == (0.01, 128)


def test_where_cells_look_is_compared_in_boxes_and_masks():
    def located(value: float) -> dict:
        metrics = {"MaxBoxAccV2": value, "PxAP": value / 2}
        details = {"num_images": 9, "replicates": {name: [own] * 9 for name, own in metrics.items()}}
        return {"metrics": metrics, "details": details}

    kept = dict(differences({"SynthBirds_CAM_s0": {"wsol_grid": located(60), "wsol_receptive_field": located(63)}}))
    table = table_of_causes({"differences": kept}, {"table1": {"rows": []}}, {"table1": {"rows": []}})
    assert "| SynthBirds | CAM: receptive field - grid, MaxBoxAccV2 | 3.0 [3.0, 3.0] | 1 |" in table
    assert "| SynthBirds | CAM: receptive field - grid, PxAP | 1.5 [1.5, 1.5] | 1 |" in table
