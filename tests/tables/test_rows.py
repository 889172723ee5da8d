"""Which results stand in which row of a table: recipes, seeds, settings, means over trunks."""

import json
import os
import re
import statistics
from pathlib import Path

import pytest
import yaml

from calm import make_tables
from calm.tables.build import build_table, with_runs
from calm.tables.files import as_markdown
from calm.tables.run_results import read_results
from tests.written_runs import METRICS, PUBLISHED, rows_of, write_run


def test_published_numbers_fit_their_columns():
    for key, table in PUBLISHED.items():
        for row in table["rows"]:
            for dataset, numbers in row.get("published", {}).items():
                assert 0 < len(numbers) <= len(table["metrics"]), (key, row["name"], dataset)
    cam = next(row for row in PUBLISHED["table1"]["rows"] if row["name"] == "CAM")
    by_pairs = sum(n * value for n, value in zip((31, 64, 96), cam["published"]["CUB"], strict=False)) / 191
    assert by_pairs == pytest.approx(cam["published"]["CUB"][3], abs=0.05)


def test_seeds_of_one_recipe_share_a_row(tmp_path):
    values = [30.0, 31.0, 35.0]
    folders = [
        write_run(tmp_path, f"em{seed}", "CALM_EM", seed, attribution="joint", metrics={**METRICS, "mPxAP": value})
        for seed, value in enumerate(values)
    ]
    row = rows_of("table1", *folders)["CUB", "CALM_EM", ""]
    cell = row.cells["mPxAP"]
    assert row.status == "run" and row.seeds == (0, 1, 2) and cell.values == tuple(values)
    assert cell.mean == pytest.approx(32) and cell.std == pytest.approx(statistics.stdev(values))
    assert cell.published == 34.3 and cell.interval_over == "seeds"
    half = 4.30265 * statistics.stdev(values) / 3**0.5  # Student's t with two degrees of freedom
    assert cell.interval == pytest.approx((32 - half, 32 + half), rel=1e-4)
    assert rows_of("table1", *folders)["CUB", "CAM", ""].status == "not run"


def test_two_seeds_have_a_deviation_and_no_interval(tmp_path):
    """Of accuracies of 20.8 and 25.0 Student's t would say -3.6 to 49.4."""
    folders = [
        write_run(tmp_path, f"em{seed}", "CALM_EM", seed, evaluation="accuracy", metrics={"accuracy": value})
        for seed, value in enumerate((20.8, 25.0, 22.0))
    ]
    two, three = (build_table("table2", PUBLISHED["table2"], read_results(some)) for some in (folders[:2], folders))
    assert "22.9 ± 3.0 |" in as_markdown(with_runs(two)) and "95 %" not in two.note
    assert "22.6 ± 2.2 [17.2, 28.0] |" in as_markdown(with_runs(three)) and three.note.count("of 3 or more") == 1


def test_a_mean_over_fewer_runs_than_the_row_has_says_so(tmp_path):
    """A metric may be null for a seed, as R_k where erasing at random leaves nothing right."""
    values = [30.0, None, 34.0]
    folders = [
        write_run(tmp_path, f"em{seed}", "CALM_EM", seed, attribution="joint", metrics={**METRICS, "mPxAP": value})
        for seed, value in enumerate(values)
    ]
    table = with_runs(build_table("table1", PUBLISHED["table1"], read_results(folders)))
    (row,) = table.rows
    assert row.seeds == (0, 1, 2) and row.cells["mPxAP"].mean == 32 and not row.cells["mPxAP_1"].is_partial
    line = next(line for line in as_markdown(table).splitlines() if "| 0, 1, 2 |" in line)
    assert line.count("(2 of 3 runs)") == 1 and "32.0 ± 2.8" in line and "(n of m runs)" in table.note
    whole = with_runs(build_table("table1", PUBLISHED["table1"], read_results(folders[::2])))
    assert "of 2 runs" not in as_markdown(whole) and "of m runs" not in whole.note


def test_a_single_run_has_the_interval_over_its_images(tmp_path):
    one = write_run(tmp_path, "em", "CALM_EM", 0, attribution="joint", intervals={"mPxAP": [31.0, 37.5]})
    cells = rows_of("table1", one)["CUB", "CALM_EM", ""].cells
    assert cells["mPxAP"].interval == (31.0, 37.5) and cells["mPxAP"].interval_over == "images"
    assert cells["mPxAP_1"].interval is None and cells["mPxAP_1"].interval_over is None
    named = {"joint": {"removed_rank_correlation": [-0.1, 0.2]}}
    metrics = {"joint": {"removed_rank_correlation": 0.1}}
    folder = write_run(tmp_path, "b", "CALM_EM", 0, evaluation="intervention", metrics=metrics, intervals=named)
    (result,) = read_results([folder])
    assert result.intervals == {"removed_rank_correlation": (-0.1, 0.2)}


def test_a_run_from_before_a_flag_counts_with_those_that_leave_it_alone(tmp_path):
    folders = [write_run(tmp_path, f"em{seed}", "CALM_EM", seed, attribution="joint") for seed in (0, 1)]
    path = folders[0] / "config.yaml"
    older = yaml.safe_load(path.read_text())
    for flag in ("optimizer", "schedule", "warmup_epochs", "freeze_trunk", "label_smoothing", "model_ema_decay"):
        del older[flag]
    path.write_text(yaml.safe_dump(older))
    assert rows_of("table1", *folders)["CUB", "CALM_EM", ""].seeds == (0, 1)


@pytest.mark.parametrize("evaluation", ["cue_location", "intervention"])
def test_an_evaluation_from_before_a_flag_counts_with_those_that_leave_it_alone(tmp_path, evaluation):
    """A younger flag was at what leaves the result as it was; one that the script no longer takes says nothing."""
    key, named = {"cue_location": ("table1", METRICS), "intervention": ("interventions", {"joint": {}})}[evaluation]
    shared = {"evaluation": evaluation, "attribution": "joint", "metrics": named}
    folders = [write_run(tmp_path, f"em{seed}", "CALM_EM", seed, **shared) for seed in (0, 1)]
    path = folders[0] / "results" / f"{evaluation}.json"
    older = json.loads(path.read_text())
    for flag in {"part_points", "class_pairs", "resize_alignment", "max_images"} & older["config"].keys():
        del older["config"][flag]
    path.write_text(json.dumps({**older, "config": {**older["config"], "scoremap_root": None}}))
    rows = [row for row in rows_of(key, *folders).values() if row.status == "run"]
    assert [row.seeds for row in rows] == [(0, 1)]


def test_other_settings_make_another_row_and_are_named(tmp_path):
    plain = write_run(tmp_path, "a", "CALM_EM", 0, attribution="joint")
    relu = write_run(tmp_path, "b", "CALM_EM", 0, attribution="joint", prior_activation="relu")
    exact = write_run(
        tmp_path,
        "b",
        "CALM_EM",
        0,
        attribution="joint",
        prior_activation="relu",
        tag="x",
        evaluated={"cue_masks": "exact"},
    )
    rows = rows_of("table1", plain, relu, exact)
    found = {settings for dataset, name, settings in rows if name == "CALM_EM"}
    assert found == {"", "ReLU prior", "ReLU prior, exact cue masks"}


def test_runs_about_other_images_are_no_seeds_of_one_row(tmp_path):
    """Those of one data set, whichever folder it lies in, are; and those from before results named their images."""
    four, two = ({"num_images": 8, "num_classes": k, "sha256": f"{k}" * 64} for k in (4, 2))
    runs = [
        write_run(tmp_path, f"{name}{seed}", "CAM", seed, attribution="cam", data=data, data_root=f"{root}/{name}")
        for name, data in (("four", four), ("two", two), ("before", None))
        for seed, root in enumerate(("here", "/some/where"))
    ]
    rows = [row for row in rows_of("table1", *runs).values() if row.status == "run"]
    assert {row.settings: row.seeds for row in rows} == {
        "data=8 images of 4 classes (list 44444444)": (0, 1),
        "data=8 images of 2 classes (list 22222222)": (0, 1),
        "": (0, 1),
    }
    assert "--data_root=here/four/" in " ".join(rows[2].commands).split()
    assert "where" not in str([row.commands for row in rows])
    table = build_table("table1", PUBLISHED["table1"], read_results(runs[:2]))
    assert "All CUB rows: architecture=resnet50, data=8 images of 4 classes (list 44444444)." in table.note


def test_a_number_that_a_resumed_run_writes_otherwise_is_the_same(tmp_path):
    """10 is 10.0, which flags read from a file are."""
    folders = [write_run(tmp_path, f"em{seed}", "CALM_EM", seed, attribution="joint") for seed in (0, 1)]
    for folder, written in zip(folders, ("10", "10.0"), strict=True):
        config = folder / "config.yaml"
        config.write_text(
            re.sub(r"(?m)^lr_classifier_ratio: .*$", f"lr_classifier_ratio: {written}", config.read_text())
        )
    assert [row.seeds for row in rows_of("table1", *folders).values() if row.status == "run"] == [(0, 1)]


def test_a_run_from_another_checkpoint_has_a_row_of_its_own(tmp_path):
    """Its seeds share it, whichever seeds they started from; the number of a run from ImageNet weights stays apart."""
    started = [
        write_run(tmp_path, name, "CALM_EM", seed, attribution="joint", metrics={"mPxAP": value}, load_checkpoint=start)
        for name, seed, value, start in (
            ("cam_then_em_seed0", 0, 40.0, "save/cam_seed0/"),
            ("cam_then_em_seed1", 1, 44.0, "/elsewhere/cam_seed1"),
            ("last_then_em", 2, 48.0, "save/cam_seed2/last_checkpoint.pth.tar"),
            ("best_then_em", 0, 50.0, "save/cam_seed0/best_checkpoint.pth.tar"),
            ("zoo_then_em", 0, 52.0, "zoo:CALM_EM_CUB"),
        )
    ]
    plain = [write_run(tmp_path, f"em{seed}", "CALM_EM", seed, attribution="joint") for seed in (0, 1)]
    rows = rows_of("table1", *plain, *started)
    found = {settings: row for (_, name, settings), row in rows.items() if name == "CALM_EM"}
    assert {settings: (row.seeds, row.cells["mPxAP"].values) for settings, row in found.items()} == {
        "": ((0, 1), (34.0, 34.0)),
        "starts_from=cam": ((0, 1, 2), (40.0, 44.0, 48.0)),
        "starts_from=cam/best_checkpoint.pth.tar": ((0,), (50.0,)),
        "starts_from=zoo:CALM_EM_CUB": ((0,), (52.0,)),
    }
    commands = " ".join(found["starts_from=cam"].commands)
    assert "--load_checkpoint=save/cam_seed1 " in commands and "elsewhere" not in commands


def test_maps_of_a_folder_have_no_row_and_those_beside_them_have(tmp_path):
    """As eval_attribution.py judges them together."""
    shared = {"evaluation": "attribution", "evaluated": {"scoremap_root": "x/"}}
    beside = write_run(tmp_path, "a", "CAM", 0, metrics={"cam": {"average_drop": 40.0}, "maps of x/": {}}, **shared)
    alone = write_run(
        tmp_path, "b", "CAM", 0, attribution="maps of x/", evaluated={"scoremap_root": "x/"}, metrics=METRICS
    )
    (result,) = read_results([beside, alone])
    assert (result.attribution, result.metrics) == ("cam", {"average_drop": 40.0})
    assert result.settings.get("scoremap_root") is None and "scoremap_root" not in " ".join(result.commands)


def test_settings_of_all_rows_stand_in_the_note(tmp_path):
    runs = [
        write_run(tmp_path, method, method, 0, attribution=name, architecture="resnet18", epochs=epochs, lr=0.02)
        for method, name, epochs in (("CAM", "cam", 3), ("CALM_EM", "joint", 4))
    ]
    table = build_table("table1", PUBLISHED["table1"], read_results(runs))
    assert "All CUB rows: architecture=resnet18, lr=0.02." in table.note and "±" not in table.note
    assert {row.settings for row in table.rows if row.status == "run"} == {"epochs=3", "epochs=4"}


def test_precision_interval_and_protocol_part_evaluations_where_they_act(tmp_path):
    def evaluate(tag: str, evaluation: str = "cue_location", **flags) -> Path:
        return write_run(
            tmp_path,
            "a",
            "CALM_EM",
            0,
            evaluation=evaluation,
            attribution="joint",
            tag=tag,
            evaluated=flags,
            metrics=METRICS | {"MaxBoxAccV2": 50.0},
        )

    for number, flags in enumerate(
        (
            {},
            {"precision": "bf16"},
            {"cam_curve_interval": 0.05},
            {"protocol": "released"},
            {"protocol": "released", "cam_curve_interval": 0.05},
            {"threshold_type": "log"},
        )
    ):
        folder = evaluate(f"t{number}", **flags)
    found = {settings for dataset, name, settings in rows_of("table1", folder) if (dataset, name) == ("CUB", "CALM_EM")}
    assert found == {
        "",
        "evaluation_precision=bf16",
        "released protocol",
        "cam_curve_interval=0.05, released protocol",
    }
    for number, interval in enumerate((0.001, 0.01)):
        folder = evaluate(f"w{number}", "wsol", cam_curve_interval=interval)
    found = {settings for dataset, name, settings in rows_of("table3", folder) if (dataset, name) == ("CUB", "CALM_EM")}
    assert found == {"", "cam_curve_interval=0.01"}


def test_settings_that_change_nothing_part_no_seeds_and_are_not_named(tmp_path):
    idle = {"em_momentum": 0.9, "prior_activation": "relu", "detach_prior_sum": True}
    cam = [
        write_run(tmp_path, "cam0", "CAM", 0, attribution="cam"),
        write_run(tmp_path, "cam1", "CAM", 1, attribution="cam", evaluated={"smooth_grad_nr_iter": 9}, **idle),
    ]
    smooth = [
        write_run(
            tmp_path,
            f"s{n}",
            "CAM",
            0,
            attribution="smooth_grad",
            evaluated={"smooth_grad_nr_iter": n},
            metrics=METRICS | {"mPxAP": n},
        )
        for n in (9, 50)
    ]
    for folder in smooth:  # an evaluation writes our name
        path = folder / "results" / "cue_location.json"
        path.write_text(path.read_text().replace('"attribution": "smooth_grad"', '"attribution": "smoothgrad"'))
    other = [
        write_run(tmp_path, "em", "CALM_EM", 0, attribution="joint", em_target="ema"),
        write_run(tmp_path, "relu", "CALM_EM", 0, attribution="joint", prior_activation="relu"),
        write_run(tmp_path, "tiny", "CAM", 0, attribution="cam", dataset="TinyImageNet", epochs=3),
    ]
    rows = rows_of("table1", *cam, *smooth, *other)
    assert rows["CUB", "CAM", ""].seeds == (0, 1)
    assert rows["CUB", "SmoothGrad", "smooth_grad_nr_iter=9"].cells["mPxAP"].mean == 9
    assert ("CUB", "CALM_EM", "lagging theta'") in rows
    assert ("CUB", "CALM_EM", "ReLU prior") in rows
    assert ("TinyImageNet", "CAM", "") in rows


def test_an_evaluation_made_twice_counts_once(tmp_path):
    folder = write_run(tmp_path, "a", "CAM", 0, attribution="cam")
    write_run(tmp_path, "a", "CAM", 0, attribution="cam", tag="again")
    assert rows_of("table1", folder)["CUB", "CAM", ""].cells["mPxAP"].values == (34.0,)


def test_two_checkpoints_of_one_seed_are_no_two_seeds(tmp_path, capsys):
    """Such as the last and the best of a run: the newer counts, wherever it lies, and a line says so."""
    new, old, other = (
        write_run(tmp_path, name, "CAM", seed, attribution="cam", metrics=METRICS | {"mPxAP": value})
        for name, seed, value in (("new", 0, 30.0), ("old", 0, 40.0), ("other", 1, 50.0))
    )
    os.utime(old / "results" / "cue_location.json", (1, 1))
    row = rows_of("table1", new, old, other)["CUB", "CAM", ""]
    assert row.cells["mPxAP"].values == (30.0, 50.0) and row.seeds == (0, 1)
    assert capsys.readouterr().out.count("one seed") == 1
    again = write_run(tmp_path, "new", "CAM", 0, attribution="cam", tag="again", metrics=METRICS | {"mPxAP": 31.0})
    assert rows_of("table1", again)["CUB", "CAM", ""].cells["mPxAP"].values == (31.0,)
    assert "one seed" not in capsys.readouterr().out  # the same checkpoint


def test_own_data_sets_and_own_maps_get_rows_without_published_numbers(tmp_path):
    folder = write_run(tmp_path, "a", "CALM_ML", 0, attribution="conditional", dataset="SynthBirds")
    rows = rows_of("table1", folder)
    assert rows["SynthBirds", "CALM_ML, conditional", ""].cells["mPxAP"].published is None
    assert rows["SynthBirds", "VarGrad", ""].status == "not run"
    assert ("CUB", "CALM_ML, conditional", "") not in rows


def test_a_moved_run_keeps_its_training(tmp_path, capsys):
    folder = write_run(tmp_path / "old", "a", "CAM", 7, attribution="cam", epochs=3)
    (tmp_path / "new").mkdir()
    moved = folder.rename(tmp_path / "new" / "a")
    row = rows_of("table1", moved)["CUB", "CAM", ""]
    assert row.seeds == (7,) and "--epochs=3" in row.commands[0] and not capsys.readouterr().out
    (moved / "config.yaml").unlink()
    row = rows_of("table1", moved)["CUB", "CAM", ""]
    assert row.seeds == (None,) and "the training behind" in capsys.readouterr().out


def test_accuracy_needs_no_attribution(tmp_path):
    folder = write_run(tmp_path, "a", "CALM_ML", 3, evaluation="accuracy", metrics={"accuracy": 60.5})
    row = rows_of("table2", folder)["CUB", "CALM_ML", ""]
    assert row.cells["accuracy"].mean == 60.5 and row.cells["accuracy"].published == 59.6
    assert len(row.commands) == 1 and row.seeds == (3,)


def recipe(trunk: str) -> dict:
    name = "CUB_CAM" if trunk == "resnet50" else f"CUB_CAM_{trunk}"
    content = yaml.safe_load((Path(make_tables.__file__).parent / "configs" / f"{name}.yaml").read_text())
    return {key: content[key] for key in ("architecture", "lr", "weight_decay", "epochs", "lr_decay_frequency")}


def trunk_runs(root: Path, values: dict[str, float], **trained) -> list[Path]:
    return [
        write_run(
            root,
            trunk,
            "CAM",
            0,
            evaluation="wsol",
            attribution="cam",
            metrics={"MaxBoxAccV2": value, "PxAP": None},
            **recipe(trunk),
            **trained,
        )
        for trunk, value in values.items()
    ]


def test_mean_over_the_three_trunks_with_their_own_recipes(tmp_path):
    folders = trunk_runs(tmp_path, {"vgg16": 60.0, "inception_v3": 62.0, "resnet50": 67.0})
    found = [row for row in rows_of("table3", *folders).values() if (row.dataset, row.name) == ("CUB", "CAM")]
    mean = next(row for row in found if "architecture=mean of vgg16, inception_v3, resnet50" in row.settings)
    assert mean.cells["MaxBoxAccV2"].mean == pytest.approx(63) and mean.cells["MaxBoxAccV2"].published == 61.1
    vgg = next(row for row in found if "architecture=vgg16" in row.settings)
    assert vgg.cells["MaxBoxAccV2"].mean == 60 and len(found) == 4
    rows = rows_of("table3", *folders)
    assert rows["CUB", "InCA", ""].status == "published only" and rows["CUB", "HaS", ""].status == "not run"
    own = rows["CUB", "InCA-like, our reading", ""].cells["MaxBoxAccV2"]
    assert rows["CUB", "InCA", ""].cells["MaxBoxAccV2"].published == 63.4 and own.published is None


def test_no_mean_where_a_trunk_was_run_in_two_ways(tmp_path):
    folders = trunk_runs(tmp_path, {"vgg16": 60.0, "inception_v3": 62.0, "resnet50": 67.0})
    other = recipe("vgg16") | {"lr": 0.5}
    folders.append(write_run(tmp_path, "v2", "CAM", 0, evaluation="wsol", attribution="cam", **other))
    assert not [settings for _, _, settings in rows_of("table3", *folders) if "mean" in settings]


def test_every_attribution_of_one_file_has_its_row(tmp_path):
    metrics = {name: dict.fromkeys(PUBLISHED["cam_family"]["metrics"], 0.5) for name in ("joint", "gradcam")}
    folder = write_run(tmp_path, "a", "CALM_EM", 0, evaluation="attribution", metrics=metrics, dataset="SynthBirds")
    rows = rows_of("cam_family", folder)
    assert rows["SynthBirds", "CALM_EM, joint", ""].cells["deletion"].mean == 0.5
    assert rows["SynthBirds", "CALM_EM, Grad-CAM", ""].status == "run"


def test_maps_that_no_published_row_has_stand_with_their_method(tmp_path):
    metrics = {name: dict.fromkeys(PUBLISHED["cam_family"]["metrics"], 0.5) for name in ("gradcam++", "cam", "joint")}
    folder = write_run(tmp_path, "a", "CALM_ML", 0, evaluation="attribution", metrics=metrics, dataset="SynthBirds")
    names = [name for dataset, name, _ in rows_of("cam_family", folder) if dataset == "SynthBirds"]
    assert names.index("CALM_ML, Grad-CAM++") == names.index("CALM_ML, joint") + 1 < names.index("CALM_EM, joint")


def test_a_result_without_a_cue_score_was_made_with_the_released_one(tmp_path):
    before = write_run(tmp_path, "before", "CALM_EM", 0, attribution="joint", evaluated={"norm_type": "minmax"})
    path = before / "results/cue_location.json"
    content = json.loads(path.read_text())
    del content["config"]["cue_score"]
    path.write_text(json.dumps(content))
    now = write_run(tmp_path, "now", "CALM_EM", 0, attribution="joint")
    rows = rows_of("table1", before, now)
    told = {settings.split(", ")[-1] for (_, _, settings), row in rows.items() if row.status == "run"}
    assert told == {"", "released cue score"}
    old, new = (read_results([folder])[0].commands[-1] for folder in (before, now))
    assert "--cue_score=released" in old and "cue_score" not in new and "norm_type" not in new


def test_scaling_of_probabilities_parts_no_equal_runs(tmp_path):
    runs = [
        write_run(tmp_path, norm, "CALM_EM", 0, attribution="joint", evaluated={"norm_type": norm})
        for norm in ("max", "clipping")
    ]
    assert len({repr(read_results([run])[0].settings) for run in runs}) == 1
    maps = [
        write_run(tmp_path, f"cam_{norm}", "CAM", 0, attribution="cam", evaluated={"norm_type": norm})
        for norm in ("max", "minmax")
    ]
    assert len({repr(read_results([run])[0].settings) for run in maps}) == 2


def test_runs_of_one_name_in_two_places_are_no_earlier_state_of_one_another(tmp_path, capsys):
    """Each was made in its own working directory, so that both results have the same relative path."""
    folders = [
        write_run(tmp_path / place, "em", "CALM_EM", seed, attribution="joint") for seed, place in enumerate("ab")
    ]
    for seed, folder in enumerate(folders):
        path = folder / "results" / "cue_location.json"
        content = json.loads(path.read_text())
        checkpoint = {"path": "save/em/last_checkpoint.pth.tar", "sha256": f"{seed}"}
        path.write_text(json.dumps({**content, "checkpoint": checkpoint}))
    results = read_results(folders)
    assert not any(result.stale for result in results) and {result.seed for result in results} == {0, 1}
    assert "trained on" not in capsys.readouterr().out


def test_a_result_of_the_checkpoint_as_it_was_before_is_said(tmp_path, capsys):
    """Its run was resumed, and measured in another way, since."""
    folder = write_run(tmp_path, "em", "CALM_EM", 0, attribution="joint")
    write_run(tmp_path, "em", "CALM_EM", 0, evaluation="accuracy", metrics={"accuracy": 70.0}, epochs=50)
    read_results([folder])
    assert "notice" not in capsys.readouterr().out
    path = folder / "results" / "accuracy.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "checkpoint": {**content["checkpoint"], "sha256": "later"}}))
    os.utime(path, (2e9, 2e9))
    newer = write_run(tmp_path, "em1", "CALM_EM", 1, attribution="joint", epochs=50)
    table = build_table("table1", PUBLISHED["table1"], read_results([folder, newer]))
    assert "Measured before the checkpoint was trained on, evaluate again: CUB, CALM_EM, seed 0." in as_markdown(table)
    assert "trained on" not in build_table("table1", PUBLISHED["table1"], read_results([newer])).note
    source = folder / "last_checkpoint.pth.tar"
    wanted = f"notice: cue_location of joint was measured on {source} as it was before accuracy was"
    assert wanted in capsys.readouterr().out
