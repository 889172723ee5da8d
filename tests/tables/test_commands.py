"""The command lines of a table give its numbers again, on any machine."""

import json
import shlex

import yaml

from calm import config
from calm.flags import names, recorded
from calm.tables.build import build_table
from calm.tables.run_results import read_results
from tests.written_runs import PUBLISHED, write_run


def test_commands_give_the_same_flags_again(tmp_path):
    folder = write_run(
        tmp_path,
        "a run",
        "CALM_EM",
        7,
        attribution="joint",
        tag="t",
        epochs=3,
        architecture="resnet18",
        data_root="/some/where/elsewhere",
        override_cache=True,
        workers=1,
        evaluated={"cue_masks": "exact", "smooth_grad_nr_iter": 9, "workers": 0},
    )
    (result,) = read_results([folder])
    training, evaluation = (shlex.split(command) for command in result.commands)
    assert training[:2] == ["python", "main.py"] and evaluation[:2] == ["python", "eval_cue_location.py"]
    again = recorded(config.parse(training[2:], "main"))
    there = yaml.safe_load((folder / "config.yaml").read_text())
    assert there["data_root"] == "/some/where/elsewhere" and there["override_cache"] and there["workers"] == 1
    assert again == there | {key: again[key] for key in ("data_root", "override_cache", "workers")}
    assert "--data_root=elsewhere/" in training and not any("elsewhere" in word for word in evaluation)
    assert "override" not in " ".join(result.commands)
    args = config.parse(evaluation[2:], "eval_cue_location")
    assert (args.cue_masks, args.tag, args.score_map_process) == ("exact", "t", "joint")
    assert args.load_checkpoint == "save/a run/"
    assert not {"architecture", "smooth_grad_nr_iter", "workers"} & args.given  # the checkpoint says it; idle; a place


def test_the_accuracy_of_a_checkpoint_alone_trains_nothing(tmp_path):
    """A results file of an evaluation says nothing of the flags of training."""
    folder = write_run(tmp_path, "a", "CALM_EM", 7, evaluation="accuracy", metrics={"accuracy": 50.0}, epochs=3)
    path = folder / "results" / "accuracy.json"
    content = json.loads(path.read_text())
    kept = {name: value for name, value in content["config"].items() if name not in names(trains=True)}
    path.write_text(json.dumps({**content, "config": {**kept, "seed": None, "experiment_name": "result"}}))
    (result,) = read_results([folder])
    training, evaluation = result.commands
    assert "--epochs=3" in training and evaluation == "python main.py --load_checkpoint=save/a/ --is_train=False"


def test_commands_of_what_was_not_run_are_valid():
    for key, published in PUBLISHED.items():
        for row in build_table(key, published, []).rows:
            assert bool(row.commands) == (row.status == "not run")
            in_paper = any(cell.published is not None for cell in row.cells.values())
            if key == "table3" and row.status == "not run" and in_paper:
                assert len(row.commands) == 6 and len(set(row.commands)) == 6  # three trunks
            elif row.commands and row.dataset == "CUB" and row.name in ("CAM", "CALM_ML", "CALM_EM"):
                assert row.commands[0] == f"python main.py --config configs/CUB_{row.name}.yaml"
            for command in row.commands:
                words = shlex.split(command)
                args = config.parse(words[2:], words[1].removesuffix(".py"))
                assert args.dataset_name == row.dataset or words[1] != "main.py"
