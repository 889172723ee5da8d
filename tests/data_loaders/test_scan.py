"""Which files count: what notebooks, archives and file managers leave behind moves no label and is no image."""

import shutil

import pytest

from calm.data_loaders.catalogue import dataset_named
from calm.data_loaders.metadata import read_records, write_records
from calm.data_loaders.prepare.run import prepare
from calm.data_loaders.record import Record
from calm.data_loaders.scan import class_folders, files_of, images_below
from calm.errors import UserError
from tests.tiny_data import picture, save, write

JUNK = (".ipynb_checkpoints/x.jpg", "__MACOSX/x.jpg", ".DS_Store", "notes/readme.txt", "Thumbs.db", "._a.jpg")


def test_only_visible_images_and_folders_with_images_count(tmp_path):
    for name in ("b/z.JPG", "b/y.jpeg", "b/._y.jpeg", "b/Thumbs.db", "a/x.PNG", "a/x.txt", "d/sub/w.jpg", *JUNK):
        write(tmp_path / name, "")
    (tmp_path / "c").mkdir()
    (tmp_path / "a/folder.jpg").mkdir()
    (tmp_path / "e").symlink_to(tmp_path / "b")
    assert [path.name for path in class_folders(tmp_path)] == ["a", "b", "e"]
    assert files_of(tmp_path / "b") == [tmp_path / "b/y.jpeg", tmp_path / "b/z.JPG"]
    assert files_of(tmp_path / "a") == [tmp_path / "a/x.PNG"]
    assert files_of(tmp_path / "nowhere") == class_folders(tmp_path / "nowhere") == []
    found = [str(path.relative_to(tmp_path)) for path in images_below(tmp_path)]
    assert found == ["a/x.PNG", "b/y.jpeg", "b/z.JPG", "d/sub/w.jpg"]


def prepared(folder, name, split="train"):
    shutil.rmtree(folder / "metadata", ignore_errors=True)
    prepare(name, data_root=folder / "dataset", metadata_root=folder / "metadata", say=lambda text: None)
    localization = dataset_named(name).localization
    records = read_records(folder / "metadata", name, split, localization=localization)
    return [(record.image_id, record.target) for record in records]


@pytest.mark.parametrize("junk", [None, ".ipynb_checkpoints", "__MACOSX", "0empty"])
def test_junk_beside_class_folders_moves_no_label(tmp_path, junk):
    root = tmp_path / "dataset"
    for name in ("ILSVRC/train/n01440764/a.JPEG", "ILSVRC/train/n01443537/b.JPG", "OpenImages/train/0aa/1.jpg"):
        save(picture(0, 9, 8), root / name, format="JPEG")
    save(picture(0, 9, 8), root / "OpenImages/train/0bb/2.JPG", format="JPEG")
    if junk:
        for place in ("ILSVRC/train", "OpenImages/train"):
            (root / place / junk).mkdir()
            write(root / place / "._0", "Mac OS X")
    assert prepared(tmp_path, "ILSVRC") == [("train/n01440764/a.JPEG", 0), ("train/n01443537/b.JPG", 1)]
    assert prepared(tmp_path, "OpenImages") == [("train/0aa/1.jpg", 0), ("train/0bb/2.JPG", 1)]


def test_junk_beside_images_is_no_image(tmp_path):
    root = tmp_path / "dataset"
    for folder, name in (
        ("ILSVRC/train/n01440764", "a.JPEG"),
        ("ImageNetV2/val2/0", "a.jpeg"),
        ("OpenImages/train/0aa", "1.jpg"),
    ):
        save(picture(0, 9, 8), root / folder / name)
        for junk in (f"._{name}", ".DS_Store", "Thumbs.db"):
            write(root / folder / junk, "Mac OS X")
    write(root / "ImageNetV2/val2/.DS_Store", "")
    assert prepared(tmp_path, "ILSVRC") == [("train/n01440764/a.JPEG", 0)]
    assert prepared(tmp_path, "ILSVRC", "val") == [("val2/0/a.jpeg", 0)]
    assert prepared(tmp_path, "OpenImages") == [("train/0aa/1.jpg", 0)]


@pytest.mark.parametrize("name", ["a,b.jpg", "a\nb.jpg", "a\rb.jpg", "a.jpg ", " a.jpg", "a\udcff.jpg"])
def test_a_name_that_would_be_read_as_another_is_refused(tmp_path, name):
    with pytest.raises(UserError, match="cannot be listed"):
        write_records(tmp_path, "CUB", "train", [Record(name, 0)])
    assert not list(tmp_path.iterdir())
