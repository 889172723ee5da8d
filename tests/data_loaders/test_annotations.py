"""CUB's text files: what is read from them, and how a bad one is named."""

from pathlib import Path

import numpy as np
import pytest

from calm.data_loaders.cues.annotations import (
    annotations_folder,
    read_attribute_names,
    read_class_attributes,
    read_keypoints,
)
from calm.errors import UserError


@pytest.fixture
def root(tmp_path) -> Path:
    """Two images, two classes, three attributes."""
    for folder in ("parts", "attributes"):
        (tmp_path / folder).mkdir()
    (tmp_path / "images.txt").write_text("1 a/x 1.jpg\n2 b/y.jpg\n")
    lines = [f"{i} {k} {10 * i + k}.0 {k}.5 {k % 2}" for i in (1, 2) for k in range(1, 16)]
    (tmp_path / "parts" / "part_locs.txt").write_text("\n".join(lines) + "\n")
    (tmp_path / "attributes.txt").write_text("2 has_b::two words\n1 has_a::x\n3 has_c::y\n")
    (tmp_path / "attributes" / "class_attribute_labels_continuous.txt").write_text("50 49.9 100\n0 60 0\n")
    return tmp_path


def test_reads_attributes_and_keypoints(root):
    assert read_attribute_names(root) == ["has_a::x", "has_b::two words", "has_c::y"]
    assert read_class_attributes(root, 3).tolist() == [[True, False, True], [False, True, False]]
    points, visible = read_keypoints(root, ["b/y.jpg", "a/x 1.jpg"])
    assert points.shape == (2, 15, 2) and points[0, 3].tolist() == [24, 4.5] and points[1, 0].tolist() == [11, 1.5]
    assert np.array_equal(visible[0], np.arange(1, 16) % 2 == 1)


def test_real_keypoints_equal_their_lines(test_data):
    root = test_data / "cub_annotations"
    points, visible = read_keypoints(root, ["001.Black_footed_Albatross/Black_Footed_Albatross_0046_18.jpg"])
    for line in (root / "parts" / "part_locs.txt").read_text().split("\n")[:15]:
        _, keypoint, x, y, seen = map(float, line.split())
        assert points[0, int(keypoint) - 1].tolist() == [x, y] and visible[0, int(keypoint) - 1] == bool(seen)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("1 2 0.0 0.0", "line 2: should be 5 numbers"),
        ("1 2 0.0 x 1", "line 2: should be 5 numbers"),
        ("1 2 0.0 nan 1", "line 2: should be 5 numbers"),
        ("", "line 2: is empty"),
        ("1 16 0.0 0.0 1", "line 2: should be image number"),
        ("1 2 0.0 0.0 3", "line 2: should be image number"),
        ("1.5 2 0.0 0.0 1", "line 2: should be image number"),
        ("7 2 0.0 0.0 1", r"lacks keypoint 2 of image 1 \(a/x 1.jpg\)"),
    ],
)
def test_a_bad_keypoint_line_is_named(root, line, words):
    path = root / "parts" / "part_locs.txt"
    lines = path.read_text().split("\n")
    path.write_text("\n".join([lines[0], line, *lines[2:]]))
    with pytest.raises(UserError, match=f"part_locs.txt.*{words}"):
        read_keypoints(root, ["a/x 1.jpg"])


def test_bad_files_are_named(root):
    with pytest.raises(UserError, match=r"images.txt lacks the image c\.jpg"):
        read_keypoints(root, ["c.jpg"])
    with pytest.raises(UserError, match=r"continuous\.txt, line 1: should be 2 numbers"):
        read_class_attributes(root, 2)
    (root / "images.txt").write_text("1 a.jpg\nb.jpg\n")
    with pytest.raises(UserError, match=r"images.txt, line 2: should be a number and a name"):
        read_keypoints(root, ["a.jpg"])
    (root / "attributes.txt").write_text("1 a\n3 b\n")
    with pytest.raises(UserError, match="numbered from 1 to 2"):
        read_attribute_names(root)
    (root / "attributes.txt").unlink()
    with pytest.raises(UserError, match=r"attributes\.txt is missing"):
        read_attribute_names(root)
    (root / "parts" / "part_locs.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match="not UTF-8 text"):
        read_keypoints(root, ["a.jpg"])
    (root / "parts" / "part_locs.txt").unlink()
    with pytest.raises(UserError, match=r"part_locs\.txt cannot be read"):
        read_keypoints(root, ["a.jpg"])
    (root / "attributes" / "class_attribute_labels_continuous.txt").write_text("")
    with pytest.raises(UserError, match="is empty"):
        read_class_attributes(root, 3)


def test_names_beside_the_data_set_as_its_archive_unpacks(root):
    (root / "CUB").mkdir()
    assert read_attribute_names(root / "CUB") == ["has_a::x", "has_b::two words", "has_c::y"]


def test_only_data_sets_in_cub_layout(tmp_path):
    assert annotations_folder(tmp_path, "SynthBirds") == tmp_path / "SynthBirds"
    with pytest.raises(UserError, match=r"OpenImages has no attributes and keypoints.*CUB or SynthBirds"):
        annotations_folder(tmp_path, "OpenImages")
