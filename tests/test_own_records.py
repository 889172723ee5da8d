"""A data set, a training method, an attribution, a measure and a trunk of one's own, all defined in this file.

They are trained, evaluated, explained and tabulated by the scripts, with no other file changed.
"""

import json
from pathlib import Path

import pytest
import torch
from torch import nn

import explain
from calm import eval_attribution, eval_pixel_perturb, eval_wsol, main, make_tables
from calm.attribution import ATTRIBUTIONS, Attribution
from calm.data_loaders.catalogue import DATASETS, DataSet
from calm.data_loaders.images import read_size
from calm.data_loaders.prepare import run as prepare
from calm.data_loaders.record import Record
from calm.data_loaders.scan import class_folders, files_of
from calm.evaluation.attribution.measures import MEASURES, Measure
from calm.networks import METHODS, TRUNKS
from calm.networks.methods.base import Method, Objective
from calm.networks.methods.cam import CAM
from calm.networks.network import Network
from calm.networks.trunks.cells import cell_grid
from tests.tiny_data import picture, save

CLASSES = ("oak", "pine")


def trees(data_root: Path, say) -> dict[str, list[Record]]:
    """The first photograph of a class is test, the second val; every box is the middle of the image."""
    splits = {"test": [], "val": [], "train": []}
    for target, folder in enumerate(class_folders(data_root / "trees")):
        for number, path in enumerate(files_of(folder)):
            split = list(splits)[min(number, 2)]
            splits[split].append(
                Record(f"{folder.name}/{path.name}", target, size=read_size(path), boxes=((8, 6, 31, 25),))
            )
    return splits


class MixedBatch(Objective):
    """Every image is averaged with the next of the batch, its loss with that of the other's class."""

    def __call__(self, network, images, targets):
        output = network((images + images.roll(1, 0)) / 2)
        return (self.loss(output, targets) + self.loss(output, targets.roll(1))) / 2


class TinyTrunk(Network):
    """One convolution at stride 4."""

    released_base_words = ("conv1",)
    channels = 8

    def __init__(self, options):
        super().__init__()
        self.conv1 = nn.Conv2d(3, self.channels, 4, stride=4)
        self.cell_stride, self.cell_offset = cell_grid([(4, 4, 0)])

    def features(self, images):
        return self.conv1(images).relu()


def corner(output, targets):
    """All evidence in the first cell."""
    maps = torch.zeros_like(output.class_maps[:, 0])
    maps[:, 0, 0] = 1
    return maps


def mean_score(case):
    """How much of the image a score map marks."""
    return case.score_maps.mean(dim=(1, 2))


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """Photographs of trees, their lists, and the five records."""
    data_set = DataSet(
        name="Trees",
        folder="trees",
        read_class_names=lambda root: [folder.name for folder in class_folders(root)],
        prepare=trees,
    )
    monkeypatch.setitem(DATASETS, "Trees", data_set)
    monkeypatch.setitem(METHODS, "Mix", Method(CAM.head, CAM.loss, MixedBatch))
    monkeypatch.setitem(TRUNKS, "Tiny", TinyTrunk)
    monkeypatch.setitem(ATTRIBUTIONS, "corner", Attribution(corner, "output", "class map", released=("edge",)))
    monkeypatch.setitem(MEASURES, "mean_score", Measure(mean_score, "mean score", 1, False))
    for target, name in enumerate(CLASSES):
        for number in range(6):
            save(picture(6 * target + number, 40, 32), tmp_path / f"dataset/trees/{name}/{number}.jpg")
    prepare.main(["Trees", f"--data_root={tmp_path / 'dataset'}", f"--metadata_root={tmp_path / 'metadata'}"])
    return tmp_path


def result(folder: Path, evaluation: str) -> dict:
    return json.loads((folder / f"save/own/results/{evaluation}.json").read_text())


def test_five_records_in_one_file_are_enough(folder, capsys):
    roots = [f"--{name}_root={folder / place}" for name, place in (("data", "dataset"), ("metadata", "metadata"))]
    words = "--architecture=Tiny --attribution_method=mix --pretrained=False --dataset=Trees --crop_size=32 --seed=1"
    trained = [
        *words.split(),
        "--experiment_name=own",
        "--batch_size=4",
        "--workers=0",
        f"--save_root={folder / 'save'}",
    ]
    main.main([*trained, *roots, "--epochs=1"])
    main.main([*trained, *roots, "--epochs=2", "--resume"])
    recorded = result(folder, "accuracy")
    names = [recorded["config"][name] for name in ("dataset_name", "attribution_method", "architecture")]
    assert (
        names == ["Trees", "Mix", "Tiny"]
        and recorded["details"] | {"num_images": 2, "epochs": 2} == recorded["details"]
    )

    run = [f"--load_checkpoint={folder / 'save/own'}/", "--workers=0"]
    for script in (eval_pixel_perturb, eval_wsol):
        script.main([*run, "--score_map_process=edge"])
    for evaluation in ("pixel_perturb", "wsol"):
        found = result(folder, evaluation)
        assert found["config"]["score_map_process"] == found["details"]["attribution"] == "corner"
    eval_attribution.main([*run, "--attributions=corner,cam", "--auc_steps=1"])
    means = {name: result(folder, "attribution")["metrics"][name]["mean_score"] for name in ("corner", "cam")}
    assert 0 < means["corner"] < 1

    explain.main([str(folder / "dataset/trees/oak/0.jpg"), run[0], "--out", str(folder / "page")])
    [line] = (folder / "page/explanations.jsonl").read_text().splitlines()
    assert json.loads(line)["target"] in CLASSES and (folder / "page/index.html").is_file()

    make_tables.main([str(folder / "save/own"), "--out", str(folder / "tables")])
    for table, row in (("table2", "Mix"), ("table3", "Mix, corner"), ("cam_family", "Mix, corner")):
        rows = json.loads((folder / f"tables/{table}.json").read_text())["rows"]
        [own] = [each for each in rows if (each["dataset"], each["row"]) == ("Trees", row)]
        assert own["status"] == "run" and own["seeds"] == [1] and "--architecture=Tiny" in own["commands"][0]
