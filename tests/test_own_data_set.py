"""A data set that a user defines in a file of his own, and one that is a folder of photographs alone: trained on,
evaluated and explained, nothing else changed."""

import json
from pathlib import Path

import pytest

import explain
from calm import eval_pixel_perturb, eval_wsol, main
from calm.data_loaders.catalogue import DATASETS, DataSet
from calm.data_loaders.datasets import build_dataset
from calm.data_loaders.images import read_size
from calm.data_loaders.prepare import run as prepare
from calm.data_loaders.record import Record
from calm.data_loaders.scan import class_folders, files_of
from calm.errors import UserError
from tests.tiny_data import picture, save, write

CLASSES = ("daisy", "rose", "tulip")


def records(data_root: Path, say) -> dict[str, list[Record]]:
    """Split by the number of the photograph: 0 is test, 1 is val; every box is the middle of the image."""
    splits = {"train": [], "val": [], "test": []}
    for target, folder in enumerate(class_folders(data_root / "flowers")):
        for number, path in enumerate(files_of(folder)):
            split = {0: "test", 1: "val"}.get(number, "train")
            record = Record(f"{folder.name}/{path.name}", target, size=read_size(path), boxes=((8, 6, 31, 25),))
            splits[split].append(record)
    say(f"{sum(map(len, splits.values()))} photographs")
    return splits


FLOWERS = DataSet(
    name="Flowers",
    folder="flowers",
    read_class_names=lambda root: [folder.name for folder in class_folders(root)],
    prepare=records,
)


@pytest.fixture
def flowers(tmp_path, monkeypatch) -> Path:
    monkeypatch.setitem(DATASETS, "Flowers", FLOWERS)
    for target, name in enumerate(CLASSES):
        for number in range(5):
            save(picture(5 * target + number, 40, 32), tmp_path / f"dataset/flowers/{name}/{number}.jpg")
    (tmp_path / "dataset/flowers/.ipynb_checkpoints").mkdir()
    roots = [f"--data_root={tmp_path / 'dataset'}", f"--metadata_root={tmp_path / 'metadata'}"]
    prepare.main(["Flowers", *roots])
    return tmp_path


def test_its_splits_are_built(flowers):
    roots = {"data_root": flowers / "dataset", "metadata_root": flowers / "metadata"}
    splits = {split: build_dataset("Flowers", split, crop_size=16, **roots) for split in ("train", "val", "test")}
    assert [len(split) for split in splits.values()] == [9, 3, 3]
    assert splits["train"].class_names == list(CLASSES)
    assert [record.target for record in splits["test"].records] == [0, 1, 2]
    assert splits["test"][2][0].shape == (3, 16, 16) and splits["test"].original_size(2) == (40, 32)


def test_a_folder_of_photographs_needs_no_file_written_by_hand(tmp_path, capsys):
    for target, name in enumerate(CLASSES):
        for number in range(5):
            save(picture(5 * target + number, 40, 32), tmp_path / f"photos/{name}/{number}.JPG", format="JPEG")
    roots = [f"--{root}={tmp_path / folder}" for root, folder in (("data_root", "photos"), ("save_root", "save"))]
    small = ["--architecture=resnet18", "--pretrained=False", "--crop_size=32", "--batch_size=3", "--workers=0"]
    method = ["--attribution_method=CALM_ML", "--epochs=1", f"--metadata_root={tmp_path / 'metadata'}"]
    main.main(["--dataset=folder", "--experiment_name=f", *method, *small, *roots])
    assert "15 images of 3 classes: 9 train, 3 val, 3 test" in capsys.readouterr().out
    assert result(tmp_path, "accuracy")["details"]["num_images"] == 3
    evaluated = [f"--load_checkpoint={tmp_path / 'save/f'}/", "--workers=0"]  # the run knows where its photographs are
    eval_pixel_perturb.main(evaluated)
    assert result(tmp_path, "pixel_perturb")["details"]["num_images"] == 3
    with pytest.raises(UserError, match="photos has no true boxes and no masks, and localisation needs either"):
        eval_wsol.main(evaluated)
    names = [path.relative_to(tmp_path / "photos") for path in (tmp_path / "photos").rglob("*.JPG")]
    write(tmp_path / "photos/boxes.csv", "path,x0,y0,x1,y1\n" + "".join(f"{name},8,6,31,25\n" for name in names))
    eval_wsol.main(evaluated)
    assert 0 <= result(tmp_path, "wsol")["metrics"]["MaxBoxAcc"] <= 100
    explain.main([str(tmp_path / "photos/rose/0.JPG"), evaluated[0]])
    [line] = (tmp_path / "save/f/results/explain/explanations.jsonl").read_text().splitlines()
    assert json.loads(line)["target"] in CLASSES


def result(folder: Path, name: str) -> dict:
    return json.loads((folder / f"save/f/results/{name}.json").read_text())


def test_it_is_trained_on_evaluated_and_explained(flowers):
    roots = [f"--{name}={flowers / folder}" for name, folder in (("data_root", "dataset"), ("save_root", "save"))]
    roots.append(f"--metadata_root={flowers / 'metadata'}")
    small = ["--architecture=resnet18", "--pretrained=False", "--crop_size=32", "--batch_size=3", "--workers=0"]
    main.main(
        ["--dataset=Flowers", "--experiment_name=f", "--attribution_method=CALM_ML", "--epochs=1", *small, *roots]
    )
    assert result(flowers, "accuracy")["details"]["num_images"] == 3
    assert result(flowers, "accuracy")["config"]["dataset_name"] == "Flowers"
    evaluated = [f"--load_checkpoint={flowers / 'save/f'}/", *roots, "--workers=0"]
    eval_wsol.main(evaluated)
    assert 0 <= result(flowers, "wsol")["metrics"]["MaxBoxAcc"] <= 100
    eval_pixel_perturb.main(evaluated)
    photograph = flowers / "dataset/flowers/rose/0.jpg"
    explain.main([str(photograph), f"--load_checkpoint={flowers / 'save/f'}/", roots[0]])
    [line] = (flowers / "save/f/results/explain/explanations.jsonl").read_text().splitlines()
    assert json.loads(line)["image"] == str(photograph)
