"""make_tables.py on hand-written results: rows, seeds, spread, published numbers, commands, every format."""

import csv
import json
import shlex
import statistics
from pathlib import Path

import pytest
import yaml
from PIL import Image

import config
import errors
import make_tables
from networks.checkpoint import CHECKPOINT_KEYS
from tables.build import build_table
from tables.files import draw_curves
from tables.run_results import read_results

PUBLISHED = yaml.safe_load(make_tables.PUBLISHED.read_text())
METRICS = {"mPxAP_1": 30.0, "mPxAP_2": 33.0, "mPxAP_3": 36.0, "mPxAP": 34.0}


def flags(script: str, **given) -> dict:
    words = [f"--{name}={value}" for name, value in given.items()]
    return config.recorded(config.parse(words, script))


def write_run(
    root: Path, name: str, method: str, seed: int, *, evaluation: str = "cue_location", attribution: str | None = None,
    metrics: dict | None = None, dataset: str = "CUB", tag: str | None = None, evaluated: dict | None = None, **trained,
) -> Path:  # fmt: skip
    """A run folder as main.py and one evaluation leave it, without a network."""
    folder = root / name
    training = {"experiment_name": name, "attribution_method": method, "dataset": dataset, "seed": seed, **trained}
    recorded = flags("main", **training)
    (folder / "results").mkdir(parents=True, exist_ok=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(recorded))
    if evaluation != "accuracy":
        shared = {key: recorded[key] for key in CHECKPOINT_KEYS}
        chosen = {"load_checkpoint": str(folder), **({"tag": tag} if tag else {}), **(evaluated or {})}
        process = {"score_map_process": attribution} if attribution else {}
        recorded = flags(f"eval_{evaluation}", **chosen, **process) | shared
    content = {
        "evaluation": evaluation, "protocol": "paper", "config": recorded,
        "checkpoint": {"path": str(folder / "last_checkpoint.pth.tar"), "sha256": f"{name}-{seed}"},
        "metrics": metrics or METRICS, "details": {"attribution": attribution},
    }  # fmt: skip
    suffix = f"_{tag}" if tag else ""
    (folder / "results" / f"{evaluation}{suffix}.json").write_text(json.dumps(content))
    return folder


def rows_of(key: str, *folders: Path) -> dict[tuple, object]:
    table = build_table(key, PUBLISHED[key], read_results(folders))
    return {(row.dataset, row.name, row.settings): row for row in table.rows}


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
    assert cell.published == 34.3
    assert rows_of("table1", *folders)["CUB", "CAM", ""].status == "not run"


def test_other_settings_make_another_row_and_are_named(tmp_path):
    plain = write_run(tmp_path, "a", "CALM_EM", 0, attribution="joint")
    relu = write_run(tmp_path, "b", "CALM_EM", 0, attribution="joint", prior_activation="relu")
    exact = write_run(
        tmp_path, "b", "CALM_EM", 0, attribution="joint", prior_activation="relu", tag="x",
        evaluated={"cue_masks": "exact"},
    )  # fmt: skip
    rows = rows_of("table1", plain, relu, exact)
    found = {settings for dataset, name, settings in rows if name == "CALM_EM"}
    assert found == {
        "cue_masks=keypoints, prior_activation=softplus",
        "cue_masks=keypoints, prior_activation=relu",
        "cue_masks=exact, prior_activation=relu",
    }


def test_settings_that_change_nothing_part_no_seeds_and_are_not_named(tmp_path):
    idle = {"em_momentum": 0.9, "prior_activation": "relu", "detach_prior_sum": True}
    cam = [
        write_run(tmp_path, "cam0", "CAM", 0, attribution="cam"),
        write_run(tmp_path, "cam1", "CAM", 1, attribution="cam", evaluated={"smooth_grad_nr_iter": 9}, **idle),
    ]  # fmt: skip
    smooth = [write_run(tmp_path, f"s{n}", "CAM", 0, attribution="smooth_grad", evaluated={"smooth_grad_nr_iter": n},
                        metrics=METRICS | {"mPxAP": n}) for n in (9, 50)]  # fmt: skip
    for folder in smooth:  # an evaluation writes our name
        path = folder / "results" / "cue_location.json"
        path.write_text(path.read_text().replace('"attribution": "smooth_grad"', '"attribution": "smoothgrad"'))
    other = [write_run(tmp_path, "em", "CALM_EM", 0, attribution="joint", em_target="ema"),
             write_run(tmp_path, "relu", "CALM_EM", 0, attribution="joint", prior_activation="relu"),
             write_run(tmp_path, "tiny", "CAM", 0, attribution="cam", dataset="TinyImageNet", epochs=3)]  # fmt: skip
    rows = rows_of("table1", *cam, *smooth, *other)
    assert rows["CUB", "CAM", ""].seeds == (0, 1)
    assert rows["CUB", "SmoothGrad", "smooth_grad_nr_iter=9"].cells["mPxAP"].mean == 9
    assert ("CUB", "CALM_EM", "em_momentum=0.999, em_target=ema, prior_activation=softplus") in rows
    assert ("CUB", "CALM_EM", "em_target=current, prior_activation=relu") in rows
    assert ("TinyImageNet", "CAM", "") in rows


def test_an_evaluation_made_twice_counts_once(tmp_path):
    folder = write_run(tmp_path, "a", "CAM", 0, attribution="cam")
    write_run(tmp_path, "a", "CAM", 0, attribution="cam", tag="again")
    assert rows_of("table1", folder)["CUB", "CAM", ""].cells["mPxAP"].values == (34.0,)


def test_own_data_sets_and_own_maps_get_rows_without_published_numbers(tmp_path):
    folder = write_run(tmp_path, "a", "CALM_ML", 0, attribution="conditional", dataset="SynthBirds")
    rows = rows_of("table1", folder)
    assert rows["SynthBirds", "CALM_ML, conditional", ""].cells["mPxAP"].published is None
    assert rows["SynthBirds", "VarGrad", ""].status == "not run"
    assert ("CUB", "CALM_ML, conditional", "") not in rows


def test_accuracy_needs_no_attribution(tmp_path):
    folder = write_run(tmp_path, "a", "CALM_ML", 3, evaluation="accuracy", metrics={"accuracy": 60.5})
    row = rows_of("table2", folder)["CUB", "CALM_ML", ""]
    assert row.cells["accuracy"].mean == 60.5 and row.cells["accuracy"].published == 59.6
    assert len(row.commands) == 1 and row.seeds == (3,)


def test_mean_over_the_three_trunks(tmp_path):
    folders = [
        write_run(
            tmp_path, trunk, "CAM", 0, evaluation="wsol", attribution="cam", architecture=trunk,
            metrics={"MaxBoxAccV2": value, "PxAP": None},
        )
        for trunk, value in (("vgg16", 60.0), ("inception_v3", 62.0), ("resnet50", 67.0))
    ]  # fmt: skip
    rows = rows_of("table3", *folders)
    mean = rows["CUB", "CAM", "architecture=mean of vgg16, inception_v3, resnet50"]
    assert mean.cells["MaxBoxAccV2"].mean == pytest.approx(63) and mean.cells["MaxBoxAccV2"].published == 61.1
    assert rows["CUB", "CAM", "architecture=vgg16"].cells["MaxBoxAccV2"].mean == 60
    assert rows["CUB", "HaS", ""].status == "published only"


def test_every_attribution_of_one_file_has_its_row(tmp_path):
    metrics = {name: dict.fromkeys(PUBLISHED["cam_family"]["metrics"], 0.5) for name in ("joint", "gradcam")}
    folder = write_run(tmp_path, "a", "CALM_EM", 0, evaluation="attribution", metrics=metrics, dataset="SynthBirds")
    rows = rows_of("cam_family", folder)
    assert rows["SynthBirds", "CALM_EM, joint", ""].cells["deletion"].mean == 0.5
    assert rows["SynthBirds", "CALM_EM, Grad-CAM", ""].status == "run"


def test_commands_give_the_same_flags_again(tmp_path):
    folder = write_run(
        tmp_path, "a run", "CALM_EM", 7, attribution="joint", tag="t", epochs=3, architecture="resnet18",
        evaluated={"cue_masks": "exact"},
    )  # fmt: skip
    (result,) = read_results([folder])
    training, evaluation = (shlex.split(command) for command in result.commands)
    assert training[:2] == ["python", "main.py"] and evaluation[:2] == ["python", "eval_cue_location.py"]
    again = config.recorded(config.parse(training[2:], "main"))
    assert again == yaml.safe_load((folder / "config.yaml").read_text())
    args = config.parse(evaluation[2:], "eval_cue_location")
    assert (args.cue_masks, args.tag, args.score_map_process) == ("exact", "t", "joint")
    assert args.load_checkpoint == str(folder)
    assert "architecture" not in args.given  # the checkpoint says it


def test_commands_of_what_was_not_run_are_valid():
    for key, published in PUBLISHED.items():
        for row in build_table(key, published, []).rows:
            assert bool(row.commands) == (row.status == "not run")
            if row.commands and row.dataset == "CUB" and row.name in ("CAM", "CALM_ML", "CALM_EM"):
                assert row.commands[0] == f"python main.py --config configs/CUB_{row.name}.yaml"
            for command in row.commands:
                words = shlex.split(command)
                args = config.parse(words[2:], words[1].removesuffix(".py"))
                assert args.dataset_name in (row.dataset, "CUB")


def test_all_formats_are_written(tmp_path, capsys):
    runs = [
        write_run(tmp_path, "a", "CALM_EM", 0, attribution="joint"),
        write_run(tmp_path, "b", "CALM_EM", 1, attribution="joint", metrics={**METRICS, "mPxAP": 36.0}),
        write_run(
            tmp_path, "b", "CALM_EM", 1, evaluation="pixel_perturb", attribution="joint",
            metrics={f"R_{k}": None if k == 90 else k / 100 for k in (10, 30, 50, 70, 90)},
        ),
    ]  # fmt: skip
    out = tmp_path / "tables"
    assert errors.run(lambda: make_tables.main([*map(str, runs), "--out", str(out)])) == 0
    assert {path.name for path in out.iterdir()} == {
        f"{key}.{suffix}" for key in PUBLISHED for suffix in ("json", "csv", "md", "tex", "png")
    }
    assert "| CUB | CALM_EM | 30.0 ± 0.0 | 30.4 |" in (out / "table1.md").read_text()
    assert r"35.0 $\pm$ 1.4 & 34.3" in (out / "table1.tex").read_text()
    with (out / "table1.csv").open() as file:
        cells = list(csv.DictReader(file))
    cell = next(cell for cell in cells if (cell["row"], cell["metric"]) == ("CALM_EM", "mPxAP"))
    assert float(cell["mean"]) == 35 and cell["num_seeds"] == "2" and cell["commands"].count("python") == 4
    content = json.loads((out / "figure5.json").read_text())
    row = next(row for row in content["rows"] if (row["dataset"], row["row"]) == ("CUB", "CALM_EM"))
    assert row["cells"]["R_30"]["mean"] == 0.3 and row["cells"]["R_90"]["mean"] is None
    for key in PUBLISHED:
        with Image.open(out / f"{key}.png") as picture:
            assert picture.width > 300 and len(picture.convert("L").getcolors()) > 5
    assert "not run" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "no results"), ("{}", "not a results file"), ("[", "not a results file"),
     ('{"evaluation": "wsol", "config": {"dataset_name": "CUB", "attribution_method": "CAM"}, "metrics": [1], '
      '"checkpoint": null, "details": {"attribution": "cam"}}', "not a results file")],
)  # fmt: skip
def test_bad_runs_are_one_sentence(tmp_path, capsys, content, words):
    if content is not None:
        (tmp_path / "results").mkdir()
        (tmp_path / "results" / "wsol.json").write_text(content)
    assert errors.run(lambda: make_tables.main([str(tmp_path), "--out", str(tmp_path / "out")])) == 2
    message = capsys.readouterr().err
    assert words in message and message.count("\n") == 1
    assert errors.run(lambda: make_tables.main([str(tmp_path / "nowhere")])) == 2


def test_without_runs_the_default_folder_is_left_alone(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert errors.run(lambda: make_tables.main([])) == 2
    assert "--out" in capsys.readouterr().err and not list(tmp_path.iterdir())
    assert errors.run(lambda: make_tables.main(["--only", "table2", "--out", "published"])) == 0
    assert "70.6" in Path("published/table2.md").read_text()


def test_a_broken_config_is_one_sentence(tmp_path, capsys):
    folder = write_run(tmp_path, "a", "CAM", 0, attribution="cam")
    for content in ("a: [1", "- 1", "7"):
        (folder / "config.yaml").write_text(content)
        assert errors.run(lambda: make_tables.main([str(folder), "--out", str(tmp_path / "out")])) == 2
        message = capsys.readouterr().err
        assert "config.yaml" in message and message.count("\n") == 1


def test_the_curves_have_one_scale_and_a_legend_clear_of_the_panels(tmp_path):
    metrics = {dataset: {f"R_{k}": r for k in (10, 30, 50, 70, 90)} for dataset, r in (("CUB", 0.5), ("SynthBirds", 2))}
    runs = [
        write_run(tmp_path, f"{dataset}_{prior}", "CALM_EM", 0, evaluation="pixel_perturb", attribution="joint",
                  metrics=metrics[dataset], dataset=dataset, prior_activation=prior, epochs=len(prior))
        for dataset in ("CUB", "SynthBirds") for prior in ("relu", "softplus")
    ]  # fmt: skip
    figure = draw_curves(build_table("figure5", PUBLISHED["figure5"], read_results(runs)))
    figure.savefig(tmp_path / "figure5.png")
    panels = [axis.get_window_extent() for axis in figure.axes]
    assert figure.axes[0].get_ylim() == figure.axes[1].get_ylim()
    assert figure.axes[0].get_ylim()[0] == 0 and figure.axes[0].get_ylim()[1] > 2
    for axis, panel in zip(figure.axes, panels):
        legend = axis.get_legend().get_window_extent()
        assert legend.y0 >= 0 and legend.y1 <= panel.y0 and not any(legend.overlaps(other) for other in panels)
        assert legend.x1 - legend.x0 <= figure.bbox.width / 2
        assert {line.get_color() for line in axis.get_lines()[:-1]} >= {"C6"}
