"""SynthBirds, the files: repeatable to the byte, in the layout of CUB, kept or refused."""

import hashlib
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from calm import errors
from calm.data_loaders.catalogue.synthbirds import SYNTHBIRDS
from calm.data_loaders.synthbirds import generate as synthbirds
from calm.data_loaders.synthbirds.classes import PARTS, attributes_of, bird_classes
from calm.data_loaders.synthbirds.files import Options
from calm.errors import UserError
from tests.processes import Started

SMALL = {"num_classes": 4, "image_size": 56, "train_per_class": 3, "val_per_class": 2, "test_per_class": 2}


def hashes(root: Path) -> dict[str, str]:
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def roots(tmp_path_factory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("synthbirds")
    synthbirds.generate(folder / "data", folder / "metadata", interventions=True, **SMALL)
    return folder / "data", folder / "metadata"


def lines(path: Path) -> list[list[str]]:
    return [line.split() for line in path.read_text().splitlines()]


def test_files_are_the_same_twice_and_with_any_number_of_processes(roots, tmp_path):
    synthbirds.generate(tmp_path / "data", tmp_path / "metadata", workers=2, interventions=True, **SMALL)
    for root, again in zip(roots, (tmp_path / "data", tmp_path / "metadata")):
        assert hashes(root) == hashes(again) and len(hashes(root)) > 10
    synthbirds.generate(tmp_path / "data", tmp_path / "metadata", seed=1, interventions=True, **SMALL)
    first, other = hashes(roots[0]), hashes(tmp_path / "data")
    assert all(first[name] != other[name] for name in first if name.endswith(".jpg"))


def test_layout_is_that_of_cub(roots):
    root = roots[0] / "SynthBirds"
    images = lines(root / "images.txt")
    assert [int(number) for number, _ in images] == list(range(1, 21))
    labels = dict(lines(root / "image_class_labels.txt"))
    train = dict(lines(root / "train_test_split.txt"))
    classes = dict(lines(root / "classes.txt"))
    boxes = {number: [float(value) for value in box] for number, *box in lines(root / "bounding_boxes.txt")}
    assert [name.split(".")[0] for name in classes.values()] == ["001", "002", "003", "004"]
    assert Counter(train.values()) == {"1": 12, "0": 8}
    for number, image_id in images:
        assert image_id.startswith(classes[labels[number]] + "/")
        image = cv2.imread(str(root / "images" / image_id))
        masks = [
            cv2.imread(str((root / folder / image_id).with_suffix(".png")), cv2.IMREAD_UNCHANGED)
            for folder in ("segmentations", "part_masks")
        ]
        assert image.shape == (56, 56, 3) and all(mask.shape == (56, 56) for mask in masks)
        assert ((masks[0] == 255) == (masks[1] > 0)).all()
        x, y, w, h = boxes[number]
        assert cv2.boundingRect(masks[0]) == (x, y, w + 1, h + 1)
    locations = lines(root / "parts" / "part_locs.txt")
    assert len(locations) == 20 * 15 and [row[1] for row in locations[:15]] == [str(i) for i in range(1, 16)]


def test_text_files_read_like_those_of_cub(roots, test_data):
    ours, cub = roots[0] / "SynthBirds", test_data / "cub_annotations"
    assert lines(ours / "parts" / "parts.txt") == lines(cub / "parts" / "parts.txt")
    for name in ("images.txt", "bounding_boxes.txt", "parts/part_locs.txt", "attributes/attributes.txt", "classes.txt"):
        assert len(lines(ours / name)[0]) == len(lines(cub / name)[0]), name
    scores = np.loadtxt(ours / "attributes" / "class_attribute_labels_continuous.txt")
    names = [name for _, name in lines(ours / "attributes" / "attributes.txt")]
    assert scores.shape == (4, len(names)) and set(np.unique(scores)) == {0.0, 100.0}
    for row, bird in zip(scores, bird_classes(4)):
        assert {name for name, score in zip(names, row) if score >= 50} == attributes_of(bird)


def test_metadata_names_every_picture_once(roots):
    data, metadata = roots[0] / "SynthBirds", roots[1] / "SynthBirds"
    for split, folder, count in (("train", "images", 12), ("val", "val", 8), ("test", "images", 8)):
        ids = (metadata / split / "image_ids.txt").read_text().split()
        assert len(set(ids)) == count and all((data / folder / image_id).is_file() for image_id in ids)
        for name, fields in (("class_labels", 2), ("image_sizes", 3), ("localization", 5)):
            rows = [line.split(",") for line in (metadata / split / f"{name}.txt").read_text().splitlines()]
            assert [row[0] for row in rows] == ids and all(len(row) == fields for row in rows)


def test_interventions_are_indexed(roots):
    root = roots[0] / "SynthBirds"
    rows = lines(root / "interventions.txt")
    assert len(rows) == 8 * 10 == len(list((root / "interventions").rglob("*.jpg")))
    for image_id, file, part, kind, source in rows:
        assert (root / "images" / image_id).is_file() and (root / "interventions" / file).is_file()
        assert part in PARTS and (kind, source == "0") in {("removed", True), ("swapped", False)}


def test_ensure_generates_keeps_and_refuses(tmp_path):
    data, metadata = tmp_path / "data", tmp_path / "metadata"
    root = synthbirds.ensure(data, metadata, **SMALL)
    marker = root / synthbirds.MARKER
    before = marker.stat().st_mtime_ns
    for options in (SMALL, {}, {"num_classes": 4}):
        assert synthbirds.ensure(data, metadata, **options) == root and marker.stat().st_mtime_ns == before
    with pytest.raises(UserError, match="seed 0, not 7"):
        synthbirds.ensure(data, metadata, seed=7)
    with pytest.raises(UserError, match="interventions False, not True"):
        synthbirds.ensure(data, metadata, interventions=True)
    first = hashes(data)
    (metadata / "SynthBirds" / synthbirds.MARKER).unlink()
    with pytest.raises(UserError, match=r"was not made by SynthBirds"):
        synthbirds.ensure(data, metadata)
    for path in sorted((metadata / "SynthBirds").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    (metadata / "SynthBirds").rmdir()
    synthbirds.ensure(data, metadata)  # with the options of the pictures that are there
    assert hashes(data) == first and sorted(path.name for path in data.iterdir()) == ["SynthBirds"]


def test_the_options_of_birds_are_named_where_they_are_not_the_defaults(tmp_path):
    assert SYNTHBIRDS.unusual is not None and SYNTHBIRDS.unusual(tmp_path / "none") is None
    root = synthbirds.ensure(tmp_path / "data", tmp_path / "metadata", **SMALL)
    assert SYNTHBIRDS.unusual(root) == (
        "num_classes 4 (default 12), image_size 56 (default 112), train_per_class 3 (default 60), "
        "val_per_class 2 (default 10), test_per_class 2 (default 30)"
    )
    defaults = yaml.safe_dump({"format": synthbirds.FORMAT, **Options()._asdict(), "interventions": True})
    (root / synthbirds.MARKER).write_text(defaults)
    assert SYNTHBIRDS.unusual(root) is None


def test_two_first_runs_at_once_end_with_one_data_set(tmp_path):
    data, metadata = tmp_path / "data", tmp_path / "metadata"
    both = [Started(lambda _: print(synthbirds.ensure(data, metadata, **SMALL)), []) for _ in range(2)]
    assert [each.finished() for each in both] == [f"{data / 'SynthBirds'}\n"] * 2
    synthbirds.generate(tmp_path / "alone", tmp_path / "alone_metadata", **SMALL)
    assert hashes(data) == hashes(tmp_path / "alone") and hashes(metadata) == hashes(tmp_path / "alone_metadata")
    assert [path.name for path in data.iterdir()] == ["SynthBirds"] == [path.name for path in metadata.iterdir()]


def test_ensure_leaves_what_is_there(tmp_path):
    synthbirds.ensure(tmp_path / "data", tmp_path / "metadata", **SMALL)
    kept = tmp_path / "metadata" / "SynthBirds" / "test" / "image_ids.txt"
    kept.write_text(kept.read_text().splitlines()[0] + "\n")
    synthbirds.ensure(tmp_path / "elsewhere", tmp_path / "metadata")
    assert len(kept.read_text().splitlines()) == 1
    assert hashes(tmp_path / "elsewhere") == hashes(tmp_path / "data")
    synthbirds.generate(tmp_path / "data", tmp_path / "other", **(SMALL | {"seed": 5}))
    with pytest.raises(UserError, match="made with different options"):
        synthbirds.ensure(tmp_path / "data", tmp_path / "metadata")


def test_a_foreign_folder_is_left_alone(tmp_path):
    foreign = tmp_path / "data" / "SynthBirds" / "photograph.jpg"
    foreign.parent.mkdir(parents=True)
    foreign.write_bytes(b"mine")
    for make in (synthbirds.generate, synthbirds.ensure):
        with pytest.raises(UserError, match="was not made by SynthBirds"):
            make(tmp_path / "data", tmp_path / "metadata", **SMALL)
    assert foreign.read_bytes() == b"mine" and not (tmp_path / "metadata").exists()


@pytest.mark.parametrize(
    ("flag", "word"),
    [
        ("--num_classes=201", "2 to 200"),
        ("--num_classes=1", "2 to 200"),
        ("--image_size=47", "below 48 pixels"),
        ("--seed=-1", "choose 0 or more"),
        ("--val_per_class=0", "every split needs at least 1"),
    ],
)
def test_the_command_says_what_is_wrong(flag, word, tmp_path, capsys):
    words = [f"--data_root={tmp_path / 'd'}", f"--metadata_root={tmp_path / 'm'}", flag]
    assert errors.run(lambda: synthbirds.main(words)) == 2
    assert word in capsys.readouterr().err and not list(tmp_path.iterdir())


def test_a_failure_leaves_nothing_behind(tmp_path, monkeypatch):
    def fail(*_):
        raise RuntimeError("disk full")

    monkeypatch.setattr(synthbirds.files, "write_metadata", fail)
    with pytest.raises(RuntimeError):
        synthbirds.generate(tmp_path / "data", tmp_path / "metadata", **SMALL)
    assert not list(tmp_path.glob("data/*")) and not list(tmp_path.glob("metadata/*"))
