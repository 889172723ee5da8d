import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from calm import errors
from calm.data_loaders.catalogue import dataset_named
from calm.data_loaders.metadata import read_records, write_records
from calm.data_loaders.prepare import run as prepare
from calm.data_loaders.prepare.cub import inclusive_box
from calm.data_loaders.record import Record
from calm.errors import UserError
from tests.tiny_data import picture, save, write


def run(folder, name):
    """Prepare folder/dataset into folder/metadata; return what was said."""
    said: list[str] = []
    prepare.prepare(name, data_root=folder / "dataset", metadata_root=folder / "metadata", say=said.append)
    return said


def records(folder, name, split):
    return read_records(folder / "metadata", name, split, localization=dataset_named(name).localization)


def lines(path: Path) -> list[str]:
    return sorted(path.read_text().splitlines())


def test_boxes_are_inclusive_and_cut_where_the_size_is_known():
    assert inclusive_box(60.7, 27.2, 325.4, 304.9, size=None) == (60, 27, 386, 332)
    assert inclusive_box(60.0, 27.0, 325.0, 304.0, size=(380, 500)) == (60, 27, 379, 331)
    assert inclusive_box(0.0, 1.0, 500.0, 499.0, size=(500, 500)) == (0, 1, 499, 499)


def test_real_annotations_without_images(test_data, tmp_path):
    (tmp_path / "dataset").mkdir()
    (tmp_path / "dataset/CUB").symlink_to(test_data / "cub_annotations")
    said = run(tmp_path, "CUB")
    assert "11,788 of 11,788 images are not in" in said[0] and "no sizes" in said[0]
    train, test = records(tmp_path, "CUB", "train"), records(tmp_path, "CUB", "test")
    assert (len(train), len(test)) == (5994, 5794)
    assert {record.target for record in train} == {record.target for record in test} == set(range(200))
    boxes = {record.image_id: record.boxes for record in [*train, *test]}
    assert boxes["001.Black_footed_Albatross/Black_Footed_Albatross_0046_18.jpg"] == ((60, 27, 385, 331),)
    assert not any(record.size for record in [*train, *test])
    assert not (tmp_path / "metadata/CUB/val").exists()


def test_real_lists_come_out_given_sizes(test_data, expected, tmp_path):
    """Blank pictures of the true sizes stand in for those that the published lists here describe."""
    root = tmp_path / "dataset/CUB"
    root.mkdir(parents=True)
    for path in (test_data / "cub_annotations").iterdir():
        (root / path.name).symlink_to(path)
    published = expected / "fake_cub_metadata"
    for split, place in (("train", "CUB/images"), ("val", "CUBV2"), ("test", "CUB/images")):
        for record in read_records(published, "CUB", split):
            save(Image.new("1", record.size), tmp_path / "dataset" / place / record.image_id, format="PNG")
    said = run(tmp_path, "CUB")
    assert "11,710 of 11,788 images are not in" in said[0] and "left out" in said[0]
    assert all(record.size for split in ("train", "test") for record in records(tmp_path, "CUB", split))
    for split in ("train", "val", "test"):
        for name in ("image_ids", "class_labels", "image_sizes") + (("localization",) if split != "val" else ()):
            ours = lines(tmp_path / f"metadata/CUB/{split}/{name}.txt")
            assert set(ours) >= set(lines(published / f"CUB/{split}/{name}.txt"))
    assert len(records(tmp_path, "CUB", "val")) == 11
    assert lines(tmp_path / "metadata/CUB/val/localization.txt") == []


CUB_FILES = {
    "images": "1 001.A/x.jpg\n2 002.B/y.jpg\n",
    "image_class_labels": "1 1\n2 2\n",
    "train_test_split": "1 1\n2 0\n",
    "bounding_boxes": "1 2.0 3.0 4.0 5.0\n2 0.0 0.0 99.0 9.0\n",
    "classes": "1 001.A\n2 002.B\n",
}


def put_cub(folder, **changes):
    for name, text in (CUB_FILES | changes).items():
        write(folder / f"dataset/CUB/{name}.txt", text)
    save(picture(0, 30, 20), folder / "dataset/CUB/images/001.A/x.jpg")
    save(picture(1, 40, 20), folder / "dataset/CUB/images/002.B/y.jpg")
    return folder


def test_cub(tmp_path):
    save(picture(2, 10, 10), put_cub(tmp_path) / "dataset/CUBV2/002.B/v.jpg")
    run(tmp_path, "CUB")
    assert records(tmp_path, "CUB", "train") == [Record("001.A/x.jpg", 0, (30, 20), ((2, 3, 6, 8),))]
    assert records(tmp_path, "CUB", "test") == [Record("002.B/y.jpg", 1, (40, 20), ((0, 0, 39, 9),))]
    assert records(tmp_path, "CUB", "val") == [Record("002.B/v.jpg", 1, (10, 10))]


def test_published_locations_are_never_lost(tmp_path):
    save(picture(2, 10, 10), put_cub(tmp_path) / "dataset/CUBV2/002.B/v.jpg")
    published = [Record("002.B/v.jpg", 1, (10, 10), ((1, 2, 3, 4),))]
    write_records(tmp_path / "metadata", "CUB", "val", published)
    assert any(text.startswith("val: kept") for text in run(tmp_path, "CUB"))
    assert records(tmp_path, "CUB", "val") == published


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("images", "1 001.A/x.jpg\n1 002.B/y.jpg\n", r"images.txt, line 2: number 1 is there twice"),
        ("images", "one 001.A/x.jpg\n", r"images.txt, line 1: expected whole numbers"),
        ("image_class_labels", "1 1\n2\n", r"image_class_labels.txt, line 2: expected image,class"),
        ("image_class_labels", "1 1\n", r"image_class_labels.txt has no line for image 2 \(002.B/y.jpg\)"),
        ("image_class_labels", "1 1\n2 3\n", r"image_class_labels.txt, line 2: 3 is not among 1 to 2"),
        ("train_test_split", "1 1\n3 0\n", r"train_test_split.txt, line 2: image 3 is not in images.txt"),
        ("train_test_split", "1 1\n1 0\n", r"train_test_split.txt, line 2: image 1 is there twice"),
        ("train_test_split", "1 1\n2 7\n", r"train_test_split.txt, line 2: 7 is not among 0 to 1"),
        ("bounding_boxes", "1 2.0 3.0 4.0 wide\n", r"bounding_boxes.txt, line 1: expected numbers"),
        ("bounding_boxes", "1 2.0 3.0 -4.0 5.0\n", r"bounding_boxes.txt, line 1: .* is not x, y, width and height"),
    ],
)
def test_a_bad_line_of_cub_is_named_and_nothing_is_written(tmp_path, name, text, message):
    put_cub(tmp_path, **{name: text})
    with pytest.raises(UserError, match=message):
        run(tmp_path, "CUB")
    assert not (tmp_path / "metadata").exists()


def annotation(wnid, *boxes):
    objects = "".join(
        f"<object><name>{wnid}</name><bndbox><xmin>{a}</xmin><ymin>{b}</ymin><xmax>{c}</xmax><ymax>{d}</ymax></bndbox>"
        "</object>"
        for a, b, c, d in boxes
    )
    return f"<annotation><size><width>30</width><height>20</height></size>{objects}</annotation>"


def put_ilsvrc(folder):
    root = folder / "dataset/ILSVRC"
    for wnid in ("n02", "n01"):
        save(picture(0, 30, 20), root / f"train/{wnid}/{wnid}_5.JPEG")
    for number, (wnid, boxes) in enumerate((("n02", [(1, 2, 30, 20), (0, 0, 3, 3)]), ("n01", [(5, 5, 31, 25)]))):
        save(picture(number, 30, 20), root / f"val/v{number}.JPEG")
        write(root / f"Annotations/CLS-LOC/val/v{number}.xml", annotation(wnid, *boxes))
    return root


def test_ilsvrc(tmp_path):
    put_ilsvrc(tmp_path)
    for number in (1, 2):
        save(picture(0, 9, 8), tmp_path / f"dataset/ImageNetV2/val2/{number}/x.jpeg")
    said = run(tmp_path, "ILSVRC")
    assert "2 classes are there instead of 1000" in said[0]
    assert "names and supersets are those of ILSVRC's first ones" in said[0]
    assert dataset_named("ILSVRC").class_names(tmp_path / "dataset")[:2] == ["tench", "goldfish"]
    train = [Record("train/n01/n01_5.JPEG", 0), Record("train/n02/n02_5.JPEG", 1)]
    assert records(tmp_path, "ILSVRC", "train") == train
    assert records(tmp_path, "ILSVRC", "test") == [
        Record("val/v0.JPEG", 1, (30, 20), ((1, 2, 30, 20), (0, 0, 3, 3))),
        Record("val/v1.JPEG", 0, (30, 20), ((5, 5, 30, 20),)),
    ]
    assert records(tmp_path, "ILSVRC", "val") == [Record("val2/1/x.jpeg", 1, (9, 8))]  # classes that are not ILSVRC's


def test_imagenet_v2_counts_all_classes_of_ilsvrc(tmp_path):
    """Goldfish is number 1 and great white shark number 2 of all, and with some classes goldfish is the first."""
    for wnid in ("n01443537", "n01491361"):  # goldfish, tiger shark
        save(picture(0, 30, 20), tmp_path / f"dataset/ILSVRC/train/{wnid}/{wnid}_5.JPEG")
    for number in (1, 2):
        save(picture(0, 9, 8), tmp_path / f"dataset/ImageNetV2/val2/{number}/x.jpeg")
    said = run(tmp_path, "ILSVRC")
    assert any("1 folders of" in line and "left out" in line for line in said)
    assert records(tmp_path, "ILSVRC", "val") == [Record("val2/1/x.jpeg", 0, (9, 8))]


def test_ilsvrc_labels_count_all_classes_that_are_known(tmp_path):
    write(put_ilsvrc(tmp_path) / "LOC_synset_mapping.txt", "n00 tench, Tinca tinca\nn01 goldfish\nn02 shark\n")
    run(tmp_path, "ImageNet")
    assert [record.target for record in records(tmp_path, "ILSVRC", "train")] == [1, 2]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("v1.xml", "<annotation>\n<object>", r"v1.xml, line 2: is not well-formed XML"),
        ("v1.xml", "<annotation></annotation>", r"v1.xml should have objects of one class but has no object"),
        ("v1.xml", annotation("n01", (5, 5, 2, 9)), r"v1.xml has an inverted box"),
        ("v1.xml", annotation("n01", (5, 5, "", 9)), r"v1.xml has an object without xmin"),
        ("v1.xml", None, r"v1.JPEG has no annotation v1.xml"),
    ],
)
def test_a_bad_annotation_of_ilsvrc_is_named(tmp_path, name, text, message):
    path = put_ilsvrc(tmp_path) / "Annotations/CLS-LOC/val" / name
    path.write_text(text) if text is not None else path.unlink()
    with pytest.raises(UserError, match=message):
        run(tmp_path, "ILSVRC")


def test_a_folder_of_imagenet_v2_is_a_class_index(tmp_path):
    save(picture(0, 9, 8), put_ilsvrc(tmp_path) / "val2/n01/x.jpeg")
    with pytest.raises(UserError, match=r"val2/n01 should be named after a class index"):
        run(tmp_path, "ILSVRC")


def test_openimages(tmp_path):
    root = tmp_path / "dataset/OpenImages"
    for place in ("train/0b/t.jpg", "val/0a/u.jpg", "test/0b/x_y.jpg"):
        save(picture(0, 12, 9), root / place)
    for mask in ("x_y_m0b_11ff", "x_y_m0b_22ee", "x_y_m0a_33dd", "x_y_ignore"):
        save(Image.fromarray(np.zeros((9, 12), np.uint8)), root / f"test/0b/{mask}.png")
    said = run(tmp_path, "OpenImages")
    assert "2 classes are there instead of 100" in said[0]
    assert records(tmp_path, "OpenImages", "train") == [Record("train/0b/t.jpg", 1, (12, 9))]
    assert records(tmp_path, "OpenImages", "val") == [Record("val/0a/u.jpg", 0, (12, 9))]
    masks = ("test/0b/x_y_m0b_11ff.png", "test/0b/x_y_m0b_22ee.png")
    assert records(tmp_path, "OpenImages", "test") == [
        Record("test/0b/x_y.jpg", 1, (12, 9), (), masks, "test/0b/x_y_ignore.png")
    ]


def put_tiny_imagenet(folder, **changes):
    root = folder / "dataset/tiny-imagenet-200"
    write(root / "wnids.txt", "n2\nn1\n")
    for wnid in ("n1", "n2"):
        names = [f"{wnid}_{number}.JPEG" for number in (449, 450)]
        boxes = changes.get(wnid, "".join(f"{name}\t1\t2\t8\t9\n" for name in names))
        write(root / f"train/{wnid}/{wnid}_boxes.txt", boxes)
        for name in names:
            save(picture(0, 10, 10), root / f"train/{wnid}/images/{name}")
    save(picture(0, 10, 10), root / "val/images/val_0.JPEG")
    write(root / "val/val_annotations.txt", changes.get("val", "val_0.JPEG\tn1\t0\t0\t9\t9\n"))
    return root


def test_tiny_imagenet(tmp_path):
    put_tiny_imagenet(tmp_path)
    run(tmp_path, "TinyImageNet")
    for split, number in (("train", 449), ("val", 450)):
        assert records(tmp_path, "TinyImageNet", split) == [
            Record(f"train/{wnid}/images/{wnid}_{number}.JPEG", target, (10, 10), ((1, 2, 8, 9),))
            for target, wnid in enumerate(("n2", "n1"))
        ]
    test = [Record("val/images/val_0.JPEG", 1, (10, 10), ((0, 0, 9, 9),))]
    assert records(tmp_path, "TinyImageNet", "test") == test


def test_real_tiny_imagenet(test_data, tmp_path):
    """All of the archive's lists; its pictures are as many, so only two classes' are unpacked."""
    kept = "tiny-imagenet-200/wnids.txt", "tiny-imagenet-200/words.txt"
    with zipfile.ZipFile(test_data / "tiny-imagenet-30.zip") as archive:
        wnids = archive.read(kept[0]).decode().split()[:2]
        test = [
            line
            for line in archive.read("tiny-imagenet-200/val/val_annotations.txt").decode().splitlines()
            if line.split()[1] in wnids
        ]
        names = [name for name in archive.namelist() if any(f"/train/{wnid}/" in name for wnid in wnids)]
        names += [f"tiny-imagenet-200/val/images/{line.split()[0]}" for line in test]
        archive.extractall(tmp_path / "dataset", names)
    root = tmp_path / "dataset/tiny-imagenet-200"
    write(root / "wnids.txt", "\n".join(wnids) + "\n")
    write(root / "val/val_annotations.txt", "\n".join(test))
    run(tmp_path, "TinyImageNet")
    counts = {split: [r.target for r in records(tmp_path, "TinyImageNet", split)] for split in ("train", "val", "test")}
    assert {split: [found.count(0), found.count(1)] for split, found in counts.items()} == {
        "train": [450, 450],
        "val": [50, 50],
        "test": [50, 50],
    }
    sizes = {record.size for record in records(tmp_path, "TinyImageNet", "train")}
    assert sizes == {(64, 64)}


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("n1", "n1_449.JPEG\t1\t2\t8\n", r"n1_boxes.txt, line 1: expected file,x0,y0,x1,y1"),
        ("n1", "n1_449.JPEG\t1\t2\t8\t9\nn1_7.JPEG\t1\t2\t8\t9\n", r"n1_boxes.txt, line 2: .*n1_7.JPEG does not exist"),
        ("n1", "bird.JPEG\t1\t2\t8\t9\n", r"n1_boxes.txt, line 1: expected n1_<number>.JPEG"),
        ("val", "val_0.JPEG\tn3\t0\t0\t9\t9\n", r"val_annotations.txt, line 1: class n3 is not in wnids.txt"),
        ("val", "", r"val_annotations.txt lists no image"),
    ],
)
def test_a_bad_line_of_tiny_imagenet_is_named(tmp_path, name, text, message):
    put_tiny_imagenet(tmp_path, **{name: text})
    with pytest.raises(UserError, match=message):
        run(tmp_path, "TinyImageNet")


def test_wrong_folders_and_names_are_one_sentence_and_exit_code_2(tmp_path, capsys):
    (tmp_path / "dataset").mkdir()
    for name, message in (
        ("CUB", "CUB/images.txt does not exist: unpack CUB_200_2011.tgz"),
        ("ILSVRC", "has neither train/ nor val/"),
        ("OpenImages", "has no class folders"),
        ("TinyImageNet", "wnids.txt does not exist"),
        ("SynthBirds", "python -m calm synthbirds"),
        ("Birds", "there is no data set Birds; these are known: CUB"),
    ):
        argv = [name, "--data_root", str(tmp_path / "dataset"), "--metadata_root", str(tmp_path / "metadata")]
        assert errors.run(lambda argv=argv: prepare.main(argv)) == 2
        assert message in capsys.readouterr().err
    assert errors.run(lambda: prepare.main(["CUB", "--data_root", str(tmp_path / "nowhere")])) == 2
    assert "nowhere is not a folder" in capsys.readouterr().err


def test_the_command_line_says_what_it_wrote(tmp_path, capsys):
    put_cub(tmp_path)
    prepare.main(["CUB", f"--data_root={tmp_path / 'dataset'}", f"--metadata_root={tmp_path / 'metadata'}"])
    assert f"train: 1 images of 1 classes -> {tmp_path / 'metadata/CUB/train'}" in capsys.readouterr().out
