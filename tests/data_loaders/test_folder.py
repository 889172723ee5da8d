"""A user's own folder of photographs: its classes, its split and what is said of it."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from calm.data_loaders.catalogue import DATASETS
from calm.data_loaders.datasets import build_dataset
from calm.data_loaders.metadata import read_records
from calm.data_loaders.prepare.folder import ensure
from calm.data_loaders.prepare.run import main as prepare
from calm.data_loaders.truth import TruthReader
from calm.errors import UserError
from tests.tiny_data import picture, save, write

FOLDER = DATASETS["folder"]


def photographs(root: Path, classes: dict[str, int], *, suffix: str = ".jpg") -> Path:
    """``root`` with so many files in each class folder; they need not be images, since none is opened."""
    for name, count in classes.items():
        for number in range(count):
            write(root / name / f"{number:03d}{suffix}", f"{number}")
    return root


def made(root: Path, metadata: Path) -> tuple[dict[str, dict[str, int]], list[str]]:
    """Split -> image -> target, and what was said."""
    said = []
    ensure(root, metadata, said.append)
    records = {split: read_records(metadata, FOLDER.metadata_name(root), split) for split in ("train", "val", "test")}
    return {split: {record.image_id: record.target for record in found} for split, found in records.items()}, said


def test_a_folder_is_split_once_by_class(tmp_path):
    root, metadata = photographs(tmp_path / "photos", {"owl": 60, "cat": 60, "dog": 60, "yak": 60}), tmp_path / "md"
    splits, said = made(root, metadata)
    counts = {split: Counter(found.values()) for split, found in splits.items()}
    assert counts == {"train": dict.fromkeys(range(4), 48), "val": Counter([0, 1, 2, 3] * 6), "test": counts["val"]}
    assert FOLDER.class_names(root) == ["cat", "dog", "owl", "yak"]
    images = {image: target for found in splits.values() for image, target in found.items()}
    assert len(images) == 240 and images["owl/000.jpg"] == 2  # every image once, its label the rank of its folder
    assert said == [
        f"notice: {root} has 240 images of 4 classes: 192 train, 24 val, 24 test (drawn with seed 0); kept in "
        f"{metadata / FOLDER.metadata_name(root)}; a network trained on another split may have seen its test images"
    ]
    again = made(root, metadata)
    assert again == (splits, [])
    assert made(root, tmp_path / "other")[0] == splits  # the seed decides, not the moment


def test_nothing_in_the_folder_changes_and_nothing_is_written_twice(tmp_path):
    root, metadata = photographs(tmp_path / "photos", {"a": 12, "b": 12}), tmp_path / "md"
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    made(root, metadata)
    written = {path: path.stat().st_mtime_ns for path in metadata.rglob("*")}
    made(root, metadata)
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before
    assert {path: path.stat().st_mtime_ns for path in metadata.rglob("*")} == written


def test_small_classes_are_tested_first_and_said(tmp_path):
    root = photographs(tmp_path / "photos", {"a": 1, "b": 2, "c": 3, "d": 9, "e": 10})
    splits, said = made(root, tmp_path / "md")
    counts = {split: Counter(found.values()) for split, found in splits.items()}
    assert counts["test"] == {1: 1, 2: 1, 3: 1, 4: 1} and counts["val"] == {2: 1, 3: 1, 4: 1}
    assert counts["train"] == {0: 1, 1: 1, 2: 1, 3: 7, 4: 8}
    assert said[1:] == ["notice: val has no image of a, b", "notice: test has no image of a"]
    with pytest.raises(UserError, match=r"tiny has no image for val: add photographs"):
        made(photographs(tmp_path / "tiny", {"a": 2, "b": 2}), tmp_path / "md")


def test_folders_above_the_classes_are_the_splits(tmp_path):
    root = photographs(tmp_path / "photos", {"train/b": 3, "train/a": 2, "Validation/a": 1, "test/b": 1, "test/c": 1})
    splits, said = made(root, tmp_path / "md")
    assert splits["train"] == {"train/a/000.jpg": 0, "train/a/001.jpg": 0} | {
        f"train/b/{number:03d}.jpg": 1 for number in range(3)
    }
    assert splits["val"] == {"Validation/a/000.jpg": 0}
    assert splits["test"] == {"test/b/000.jpg": 1, "test/c/000.jpg": 2}
    assert "8 images of 3 classes: 5 train, 1 val, 2 test; kept in" in said[0]
    write(root / "test/a/new.jpg", "")
    splits, said = made(root, tmp_path / "md")
    assert splits["test"] == {"test/a/new.jpg": 0, "test/b/000.jpg": 1, "test/c/000.jpg": 2}
    assert "changed since its split was written: 1 image new, in the split of the folder (test/a/new.jpg)" in said[0]
    assert made(root, tmp_path / "md")[1] == []


def test_a_split_without_a_folder_is_drawn_from_train(tmp_path):
    root = photographs(tmp_path / "photos", {"train/a": 20, "train/b": 20, "test/a": 5, "test/b": 5})
    splits, said = made(root, tmp_path / "md")
    assert {split: len(found) for split, found in splits.items()} == {"train": 36, "val": 4, "test": 10}
    assert all(image.startswith("train/") for image in splits["val"]) and "(val drawn from train)" in said[0]
    with pytest.raises(UserError, match=r"other has test/ but no train/ beside it"):
        ensure(photographs(tmp_path / "other", {"test/a": 3, "test/b": 3}), tmp_path / "md")


def test_what_changed_is_said_and_the_split_stays(tmp_path):
    root, metadata = photographs(tmp_path / "photos", {"a": 20, "b": 20}), tmp_path / "md"
    before, _ = made(root, metadata)
    gone = next(iter(before["test"]))
    (root / gone).unlink()
    for name in ("x", "y", "z", "w"):
        write(root / f"b/{name}.jpg", "")
    after, said = made(root, metadata)
    assert after == before | {"test": {image: k for image, k in before["test"].items() if image != gone}}
    place = metadata / FOLDER.metadata_name(root)
    assert said == [
        f"notice: {root} changed since its split was written: 1 image gone ({gone}), 4 images new and in no split "
        f"(b/w.jpg, b/x.jpg, b/y.jpg, ...); to split anew, remove {place}"
    ]
    assert made(root, metadata)[1] == said  # for as long as it is so
    write(root / gone, "")
    assert made(root, metadata)[0] == before
    photographs(root, {"aa": 3})
    with pytest.raises(UserError, match=rf"not those of its split \(new: aa\): put them back, or to split.*{place}"):
        ensure(root, metadata)


def test_two_folders_have_two_splits(tmp_path):
    one, other = (photographs(tmp_path / place / "photos", {"a": 12, "b": 12}) for place in ("x", "y"))
    assert FOLDER.metadata_name(one) != FOLDER.metadata_name(other)
    made(one, tmp_path / "md"), made(other, tmp_path / "md")
    sources = sorted(path.read_text().strip() for path in (tmp_path / "md").rglob("source.txt"))
    assert sources == [str(one), str(other)]
    (tmp_path / "link").symlink_to(one)
    assert FOLDER.metadata_name(tmp_path / "link") == FOLDER.metadata_name(f"{one}/")


def test_every_image_counts_and_nothing_else(tmp_path):
    root = photographs(tmp_path / "photos", {"a": 10, "b": 10}, suffix=".JpG")
    for junk in ("a/._000.JpG", ".ipynb_checkpoints/x.jpg", "__MACOSX/a/x.jpg", "a/Thumbs.db", "b/.git/x.png"):
        write(root / junk, "")
    write(root / "b/notes.txt", "")
    save(picture(0, 9, 8), root / "b/2023/deep.PNG")
    photographs(tmp_path / "elsewhere", {"more": 1})
    (root / "c").symlink_to(tmp_path / "elsewhere/more")
    (root / "a/loop").symlink_to(root / "a")
    (root / "a/broken.jpg").symlink_to(tmp_path / "nowhere")
    splits, said = made(root, tmp_path / "md")
    images = sorted(image for found in splits.values() for image in found)
    assert images == sorted(
        [f"{name}/{number:03d}.JpG" for name in "ab" for number in range(10)] + ["b/2023/deep.PNG", "c/000.jpg"]
    )
    assert f"notice: passed over in {root}, no images by their names: 1 .txt" in said


@pytest.mark.parametrize("name", ["a,b", "a\udcff", " a"])
def test_a_name_that_cannot_be_listed_is_one_sentence(tmp_path, name):
    root = photographs(tmp_path / "photos", {name: 3, "c": 3})
    with pytest.raises(UserError, match=r"photos: the name '.*000.jpg' has a comma, a line break, .*rename it"):
        ensure(root, tmp_path / "md")


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        ({}, "photos has no folder with images: put the photographs of each class"),
        ({".": 3}, "photos has no folder with images"),
        ({"a": 5}, "photos has one class, a: a classifier needs"),
        ({"train/a": 3, "train/b": 3, "extra": 3}, "extra has images beside the splits train/: move it"),
        ({"train/a": 3, "val/a": 3, "Valid/a": 2}, "Valid and .*val both name the split val"),
    ],
)
def test_a_folder_that_is_no_data_set_is_one_sentence(tmp_path, classes, message):
    (tmp_path / "photos").mkdir()
    with pytest.raises(UserError, match=message):
        ensure(photographs(tmp_path / "photos", classes), tmp_path / "md")
    with pytest.raises(UserError, match=r"`data_root`=.*nowhere is not a folder"):
        ensure(tmp_path / "nowhere", tmp_path / "md")


def test_a_class_may_be_called_train_or_masks(tmp_path):
    root = photographs(tmp_path / "photos", {"train": 4, "masks": 4})
    assert FOLDER.class_names(root) == ["masks", "train"]
    assert len(made(root, tmp_path / "md")[0]["train"]) == 4
    assert FOLDER.has_truth(root) == (False, False)


def located(root: Path, metadata: Path, size: int = 8) -> tuple[TruthReader, list]:
    """The reader of true places, checked, and the truth of each test image."""
    ensure(root, metadata)
    dataset = build_dataset("folder", "test", data_root=root, metadata_root=metadata)
    reader = TruthReader(FOLDER, size, root, root)
    reader.require()
    reader.check(dataset)
    return reader, [reader(dataset, index) for index in range(len(dataset))]


@pytest.fixture
def pictures(tmp_path) -> Path:
    for name in "ab":
        for number in range(3):
            save(picture(number, 40, 20), tmp_path / f"photos/{name}/{number}.png")
    return tmp_path / "photos"


@pytest.mark.parametrize("header", ["path,x0,y0,x1,y1\n", ""])
def test_boxes_and_masks_are_found(tmp_path, pictures, header):
    with pytest.raises(UserError, match=r"photos has no true boxes and no masks.*add boxes.csv"):
        located(pictures, tmp_path / "md")
    names = [f"{name}/{number}.png" for name in "ab" for number in range(3)]
    write(pictures / "boxes.csv", header + "".join(f"{name},10,5,29,14\n{name},0,0,3,3\n" for name in names))
    reader, truths = located(pictures, tmp_path / "md")
    assert (reader.has_boxes, reader.has_masks) == (True, False)
    assert [truth.boxes.tolist() for truth in truths] == [[[2, 2, 5, 5], [0, 0, 0, 1]]] * 2
    mask = np.zeros((20, 40), np.uint8)
    mask[:, :20] = 255  # the left half
    for name in names[:-3]:
        save(Image.fromarray(mask), pictures / f"masks/{name}.png")
    for name in names[-3:]:
        save(Image.fromarray(mask), pictures / f"masks/{name}")
    reader, truths = located(pictures, tmp_path / "md")
    assert reader.has_masks and FOLDER.class_names(pictures) == ["a", "b"]
    assert [truth.mask(8)[0].tolist() for truth in truths] == [[1, 1, 1, 1, 0, 0, 0, 0]] * 2


def test_a_mask_of_the_photograph_as_viewers_turn_it_is_refused(tmp_path, pictures):
    for path in sorted(pictures.rglob("*.png")):
        save(Image.new("L", (20, 40), 255), pictures / f"masks/{path.relative_to(pictures)}.png")
    message = r"masks/a/\d.png.png has 20 x 40 pixels, and its image is stored with 40 x 20: turn the mask"
    with pytest.raises(UserError, match=message):
        located(pictures, tmp_path / "md")


def test_a_mask_that_could_be_of_two_photographs_is_refused(tmp_path, pictures):
    save(picture(0, 40, 20), pictures / "a/1.jpg")
    mask = save(Image.new("L", (40, 20), 255), pictures / "masks/a/1.png")
    message = r"masks/a/1.png could be the mask of several images: name that of a/1.jpg 1.jpg.png"
    with pytest.raises(UserError, match=message):
        ensure(pictures, tmp_path / "md")
    for name in ("1.jpg.png", "1.png.png"):
        save(Image.open(mask), mask.with_name(name))
    ensure(pictures, tmp_path / "md")


def test_other_boxes_than_before_are_said(tmp_path, pictures):
    write(pictures / "boxes.csv", "a/0.png,1,2,3,4\nb/0.png,1,2,3,4\n")
    made(pictures, tmp_path / "md")
    write(pictures / "boxes.csv", "a/0.png,1,2,3,4\nb/0.png,1,2,3,9\n")
    said = made(pictures, tmp_path / "md")[1]
    assert said == [f"notice: {pictures / 'boxes.csv'} has other boxes than before for 1 images; they are taken"]
    assert made(pictures, tmp_path / "md")[1] == []


def test_a_wrong_box_is_named(tmp_path, pictures):
    ensure(pictures, tmp_path / "md")
    [record, *_] = read_records(tmp_path / "md", FOLDER.metadata_name(pictures), "test")
    write(pictures / "boxes.csv", f"{record.image_id},40,0,50,9\n")
    with pytest.raises(UserError, match=r"localization.txt, line 1: the box 40,0,50,9 is outside its image of 40 x 20"):
        located(pictures, tmp_path / "md")
    for text, message in (
        ("a/0.png,1,2,3,4\na/1.png,5,2,3,4\n", r"boxes.csv, line 2: 5,2,3,4 is not x0,y0,x1,y1"),
        ("a/0.png,1,2,3,4.5\n", r"boxes.csv, line 1: expected whole numbers"),
        ("a/0.png,1.0,2.0,3.0,4.0\nb/0.png,1,2,3,4\n", r"boxes.csv, line 1: expected whole numbers"),
        ("a/0.png,1,2,3\n", r"boxes.csv, line 1: expected path,x0,y0,x1,y1"),
        ("/photos/a/0.png,1,2,3,4\n", r"boxes.csv has no box for any image in .*such as a/0.png"),
    ):
        write(pictures / "boxes.csv", text)
        with pytest.raises(UserError, match=message):
            ensure(pictures, tmp_path / "md")


def test_the_command_that_a_missing_list_names_makes_it(tmp_path, pictures):
    roots = {"data_root": pictures, "metadata_root": tmp_path / "md"}
    with pytest.raises(UserError, match=r"image_ids.txt does not exist.*run python -m calm prepare folder$"):
        build_dataset("folder", "train", **roots)
    prepare(["folder", f"--data_root={pictures}", f"--metadata_root={tmp_path / 'md'}"])
    dataset = build_dataset("folder", "train", crop_size=16, **roots)
    assert len(dataset) == 2 and dataset[0][0].shape == (3, 16, 16) and dataset.class_names == ["a", "b"]
