"""make_tables.py: every format, its pictures, and what it says of wrong input."""

import csv
import json
from pathlib import Path

import pytest
from PIL import Image

from calm import errors, make_tables
from calm.tables.build import build_table
from calm.tables.drawing import draw_curves
from calm.tables.run_results import read_results
from tests.written_runs import METRICS, PUBLISHED, write_run


def test_all_formats_are_written(tmp_path, capsys):
    runs = [
        write_run(tmp_path, "a", "CALM_EM", 0, attribution="joint"),
        write_run(tmp_path, "b", "CALM_EM", 1, attribution="joint", metrics={**METRICS, "mPxAP": 36.0}),
        write_run(
            tmp_path,
            "b",
            "CALM_EM",
            1,
            evaluation="pixel_perturb",
            attribution="joint",
            metrics={f"R_{k}": None if k == 90 else k / 100 for k in (10, 30, 50, 70, 90)},
        ),
    ]
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
    assert cell["low"] == cell["high"] == cell["interval_over"] == ""  # two seeds have no interval
    content = json.loads((out / "figure5.json").read_text())
    row = next(row for row in content["rows"] if (row["dataset"], row["row"]) == ("CUB", "CALM_EM"))
    assert row["cells"]["R_30"]["mean"] == 0.3 and row["cells"]["R_90"]["mean"] is None
    for key in PUBLISHED:
        with Image.open(out / f"{key}.png") as picture:
            assert picture.width > 300 and len(picture.convert("L").getcolors()) > 5
    printed = capsys.readouterr().out
    assert "not run" not in printed and "MaxBoxAccV2" not in printed
    assert "| CUB | CALM_EM | 30.0 ± 0.0 | 30.4 |" in printed
    make_tables.main([*map(str, runs), "--out", str(out), "--only", "table1", "--all"])
    assert "not run" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "no results/*.json"),
        ("{}", "not a results file"),
        ("[", "not a results file"),
        *(
            (
                json.dumps(
                    {
                        "evaluation": "wsol",
                        "config": {"dataset_name": "CUB", "attribution_method": "CAM"},
                        "metrics": {},
                        "checkpoint": None,
                        "details": {"attribution": "cam"},
                    }
                    | wrong
                ),
                "not a results file",
            )
            for wrong in (
                {"metrics": [1]},
                {"metrics": {"PxAP": "high"}},
                {"metrics": {"PxAP": float("nan")}},
                {"checkpoint": {"sha256": "0"}},
                {"checkpoint": "a"},
                {"details": {"attribution": ["cam"]}},
            )
        ),
    ],
)
def test_bad_runs_are_one_sentence(tmp_path, capsys, content, words):
    if content is not None:
        (tmp_path / "results").mkdir()
        (tmp_path / "results" / "wsol.json").write_text(content)
    assert errors.run(lambda: make_tables.main([str(tmp_path), "--out", str(tmp_path / "out")])) == 2
    message = capsys.readouterr().err
    assert words in message and message.count("\n") == 1
    assert errors.run(lambda: make_tables.main([str(tmp_path / "nowhere")])) == 2


def test_the_folder_of_the_tables_has_to_be_named(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert errors.run(lambda: make_tables.main([])) == 2
    assert "--out" in capsys.readouterr().err and not list(tmp_path.iterdir())
    assert errors.run(lambda: make_tables.main(["--only", "table2", "--out", "published"])) == 0
    assert "70.6" in Path("published/table2.md").read_text()


def test_a_run_that_was_not_evaluated_is_passed_over(tmp_path, capsys):
    run = write_run(tmp_path, "a", "CAM", 0, attribution="cam")
    (tmp_path / "training").mkdir()
    folders = [str(run), str(tmp_path / "training")]
    assert errors.run(lambda: make_tables.main([*folders, "--out", str(tmp_path / "tables")])) == 0
    assert f"notice: {tmp_path / 'training'} has no results/*.json" in capsys.readouterr().out


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
        write_run(
            tmp_path,
            f"{dataset}_{prior}",
            "CALM_EM",
            0,
            evaluation="pixel_perturb",
            attribution="joint",
            metrics=metrics[dataset],
            dataset=dataset,
            prior_activation=prior,
            epochs=len(prior),
        )
        for dataset in ("CUB", "SynthBirds")
        for prior in ("relu", "softplus")
    ]
    figure = draw_curves(build_table("figure5", PUBLISHED["figure5"], read_results(runs)))
    figure.savefig(tmp_path / "figure5.png")
    panels = [axis.get_window_extent() for axis in figure.axes]
    assert figure.axes[0].get_ylim() == figure.axes[1].get_ylim()
    assert figure.axes[0].get_ylim()[0] == 0 and figure.axes[0].get_ylim()[1] > 2
    for axis, panel in zip(figure.axes, panels):
        legend = axis.get_legend().get_window_extent()
        assert legend.y0 >= 0 and legend.y1 <= panel.y0 and not any(legend.overlaps(other) for other in panels)
        assert legend.x1 - legend.x0 <= figure.bbox.width / 2
        assert {line.get_color() for line in axis.get_lines()[:-1]} == {"C0"}
