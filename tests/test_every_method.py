"""The list of short runs: every command is one that the scripts take, and what is done is not done again."""

import json

import yaml

from calm import config
from calm.data_loaders.metadata import read_records
from calm.experiments.every_method import LIST, page, steps, write_proxy
from calm.networks import METHODS
from tests.tiny_data import tiny_cub


def test_every_step_is_a_command_of_a_script(tmp_path):
    places = {"save_root": str(tmp_path), "data_root": "d", "metadata_root": "m"}
    for dataset, entry in yaml.safe_load(LIST.read_text()).items():
        for method in METHODS:
            training, *evaluations = steps(dataset, method, entry, places)
            args = config.parse(training.words[1:], "main")
            assert (args.dataset_name, args.attribution_method, args.epochs) == (dataset, method, 1)
            for step in evaluations:
                script = f"eval_{step.words[1]}"
                args = config.parse(step.words[2:], script)
                assert args.load_checkpoint == str(tmp_path / f"short_{dataset}_{method}")
                assert step.result.name == f"{step.words[1]}.json"


def test_a_begun_run_is_resumed(tmp_path):
    (tmp_path / "short_SynthBirds_CAM").mkdir()
    (tmp_path / "short_SynthBirds_CAM" / "config.yaml").touch()
    places = {"save_root": str(tmp_path), "data_root": "d", "metadata_root": "m"}
    first = next(steps("SynthBirds", "CAM", {"train": {}, "methods": {}, "evaluate": {}}, places))
    assert "--resume=True" in first.words


def test_the_proxy_set_is_the_first_images_of_every_class(tmp_path):
    records = tiny_cub(tmp_path, count=9)
    write_proxy(tmp_path / "metadata", "CUB", 2)
    assert read_records(tmp_path / "metadata", "CUB", "train", proxy=True) == records[:6]


def test_the_page_has_the_figures_of_every_run(tmp_path):
    for name, accuracy in (("short_TinyImageNet_HaS_CALM_EM", 12.34), ("short_SynthBirds_CAM", 30.0)):
        (tmp_path / name / "results").mkdir(parents=True)
        content = {"metrics": {"accuracy": accuracy}}
        (tmp_path / name / "results" / "accuracy.json").write_text(json.dumps(content))
    (tmp_path / "short_SynthBirds_CAM" / "results" / "pixel_perturb.json").write_text('{"metrics": {"R_30": 0.777}}')
    text = page(sorted(tmp_path.iterdir()))
    assert "| SynthBirds | CAM | 30.0 | – | – | 0.78 |" in text
    assert "| TinyImageNet | HaS_CALM_EM | 12.3 | – | – | – |" in text
