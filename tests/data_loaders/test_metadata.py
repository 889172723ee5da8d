import pytest

from calm.data_loaders.metadata import read_records, write_records
from calm.data_loaders.record import Record
from calm.errors import UserError
from tests.tiny_data import write

GOOD = {
    "image_ids.txt": "a/x.jpg\na/y.jpg\nb/z.jpg\n",
    "class_labels.txt": "a/x.jpg,0\na/y.jpg,0\nb/z.jpg,2\n",
    "image_sizes.txt": "a/x.jpg,30,20\na/y.jpg,30,20\nb/z.jpg,30,20\n",
    "localization.txt": "a/x.jpg,0,1,29,19\na/x.jpg,2,3,4,5\nb/z.jpg,7,7,7,7\n",
}


def put(root, dataset_name="CUB", **changes):
    for name, text in (GOOD | {f"{key}.txt": text for key, text in changes.items()}).items():
        write(root / dataset_name / "test" / name, text)
    return root


def test_the_published_format_is_read_by_column(tmp_path):
    assert read_records(put(tmp_path), "CUB", "test", num_classes=3) == [
        Record("a/x.jpg", 0, (30, 20), ((0, 1, 29, 19), (2, 3, 4, 5))),
        Record("a/y.jpg", 0, (30, 20)),
        Record("b/z.jpg", 2, (30, 20), ((7, 7, 7, 7),)),
    ]


def test_openimages_has_masks_and_one_ignore_mask_on_the_first_line(tmp_path):
    masks = "a/x.jpg,a/x_m0.png,a/x_ignore.png\na/x.jpg,a/x_m1.png,\nb/z.jpg,b/z_m0.png,\n"
    x, y, z = read_records(
        put(tmp_path, "OpenImages", localization=masks, image_sizes=""), "OpenImages", "test", localization="masks"
    )
    assert x == Record("a/x.jpg", 0, None, (), ("a/x_m0.png", "a/x_m1.png"), "a/x_ignore.png")
    assert (y.masks, y.ignore_mask, z.masks, z.ignore_mask) == ((), None, ("b/z_m0.png",), None)


def test_empty_sizes_and_locations_are_accepted(tmp_path):
    records = read_records(put(tmp_path, image_sizes="", localization=""), "CUB", "test")
    assert [(record.size, record.boxes) for record in records] == [(None, ())] * 3


def test_a_box_may_end_past_its_image(tmp_path):
    records = read_records(put(tmp_path, localization="a/x.jpg,1,2,34,20\n"), "CUB", "test")
    assert records[0].size == (30, 20) and records[0].boxes == ((1, 2, 34, 20),)


def test_windows_line_ends_and_a_byte_order_mark_are_accepted(tmp_path):
    changes = {name.removesuffix(".txt"): "\ufeff" + text.replace("\n", "\r\n") for name, text in GOOD.items()}
    assert read_records(put(tmp_path / "w", **changes), "CUB", "test") == read_records(put(tmp_path), "CUB", "test")


def test_what_is_written_is_read_back(tmp_path):
    boxed = [Record("b.jpg", 4, (9, 8), ((0, 0, 8, 7), (1, 1, 1, 1))), Record("a.jpg", 0)]
    masked = [Record("b.jpg", 1, None, (), ("m.png", "n.png"), "i.png"), Record("c.jpg", 0, (3, 3), (), ("o.png",))]
    write_records(tmp_path, "CUB", "val", boxed)
    write_records(tmp_path, "OpenImages", "val", masked)
    assert read_records(tmp_path, "CUB", "val") == boxed
    assert read_records(tmp_path, "OpenImages", "val", localization="masks") == masked


def test_real_lists_survive_a_round_trip(tmp_path, expected):
    for split, count in (("train", 22), ("val", 11), ("test", 56)):
        records = read_records(expected / "fake_cub_metadata", "CUB", split, num_classes=200)
        folder = write_records(tmp_path, "CUB", split, records)
        assert len(records) == count
        for name in GOOD:
            assert (folder / name).read_text() == (expected / "fake_cub_metadata/CUB" / split / name).read_text()


def test_the_proxy_list_is_a_subset(tmp_path):
    write(put(tmp_path) / "CUB/test/image_ids_proxy.txt", "b/z.jpg\n")
    assert [record.target for record in read_records(tmp_path, "CUB", "test", proxy=True)] == [2]
    write(tmp_path / "CUB/test/image_ids_proxy.txt", "b/z.jpg\nc/w.jpg\n")
    with pytest.raises(UserError, match=r"image_ids_proxy.txt, line 2: c/w.jpg has no line in class_labels.txt"):
        read_records(tmp_path, "CUB", "test", proxy=True)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("image_ids", "a/x.jpg\na/x.jpg\n", r"image_ids.txt, line 2: a/x.jpg is listed twice"),
        ("image_ids", "a/x.jpg\na/y.jpg,3\n", r"image_ids.txt, line 2: expected one path"),
        ("image_ids", "a/x.jpg\n\na/y.jpg\n", r"image_ids.txt, line 2: is empty"),
        ("image_ids", "", r"image_ids.txt lists no image: the split is empty"),
        (
            "image_ids",
            GOOD["image_ids.txt"] + "c/w.jpg\n",
            r"image_ids.txt, line 4: c/w.jpg has no line in class_labels",
        ),
        ("class_labels", "a/x.jpg,0\na/y.jpg\n", r"class_labels.txt, line 2: expected path,class but found 'a/y.jpg'"),
        ("class_labels", "a/x.jpg,0\na/y.jpg,1,2\n", r"class_labels.txt, line 2: expected path,class"),
        ("class_labels", "a/x.jpg,bird\n", r"class_labels.txt, line 1: expected whole numbers but found 'bird'"),
        ("class_labels", "a/x.jpg,1.0\n", r"class_labels.txt, line 1: expected whole numbers"),
        ("class_labels", "a/x.jpg,1_0\n", r"class_labels.txt, line 1: expected whole numbers but found '1_0'"),
        ("class_labels", "a/x.jpg,٣\n", r"class_labels.txt, line 1: expected whole numbers"),
        ("class_labels", "a/x.jpg,2147483648\n", r"class_labels.txt, line 1: 2147483648 is beyond .* fit in 32 bits"),
        ("image_sizes", "a/x.jpg,30,4294967297\n", r"image_sizes.txt, line 1: 4294967297 is beyond"),
        ("localization", f"a/x.jpg,0,0,{'9' * 5000},5\n", r"localization.txt, line 1: 9{40} is beyond the numbers"),
        ("localization", "a/x.jpg,0,0,99999999999999999999,5\n", r"localization.txt, line 1: 9{20} is beyond"),
        ("class_labels", "a/x.jpg,0\na/x.jpg,0\n", r"class_labels.txt, line 2: a/x.jpg is listed twice"),
        ("class_labels", "a/x.jpg,0\na/y.jpg,3\n", r"class_labels.txt, line 2: label 3 is outside the classes, 0 to 2"),
        ("class_labels", "a/x.jpg,-1\n", r"class_labels.txt, line 1: label -1 is outside the classes"),
        ("class_labels", "c/w.jpg,0\n", r"class_labels.txt, line 1: c/w.jpg is not in the image list"),
        ("image_sizes", "a/x.jpg,30\n", r"image_sizes.txt, line 1: expected path,width,height"),
        (
            "image_sizes",
            "a/x.jpg,30,20\na/y.jpg,0,20\n",
            r"image_sizes.txt, line 2: 0 x 20 is not the size of an image",
        ),
        ("image_sizes", "a/x.jpg,30,20\na/x.jpg,30,20\n", r"image_sizes.txt, line 2: a/x.jpg is listed twice"),
        ("localization", "a/x.jpg,1,2,3\n", r"localization.txt, line 1: expected path,x0,y0,x1,y1"),
        ("localization", "a/x.jpg,1,2,3,four\n", r"localization.txt, line 1: expected whole numbers"),
        (
            "localization",
            "a/x.jpg,1,2,3,4\na/x.jpg,9,1,3,4\n",
            r"localization.txt, line 2: the box 9,1,3,4 is inverted",
        ),
        (
            "localization",
            "a/x.jpg,30,2,33,4\n",
            r"localization.txt, line 1: the box 30,2,33,4 is outside its image of 30",
        ),
        ("localization", "a/x.jpg,-1,2,3,4\n", r"localization.txt, line 1: the box -1,2,3,4 is outside its image"),
        ("localization", "c/w.jpg,1,2,3,4\n", r"localization.txt, line 1: c/w.jpg is not in the image list"),
    ],
)
def test_a_bad_line_is_named(tmp_path, name, text, message):
    put(tmp_path, **{name: text})
    with pytest.raises(UserError, match=message) as caught:
        read_records(tmp_path, "CUB", "test", num_classes=3)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a/x.jpg,,\n", r"localization.txt, line 1: names no mask"),
        ("a/x.jpg,m.png\n", r"localization.txt, line 1: expected path,mask,ignore-mask"),
        ("a/x.jpg,m.png,i.png\na/x.jpg,n.png,j.png\n", r"localization.txt, line 2: a/x.jpg has a second ignore mask"),
    ],
)
def test_a_bad_mask_line_is_named(tmp_path, text, message):
    put(tmp_path, "OpenImages", localization=text)
    with pytest.raises(UserError, match=message):
        read_records(tmp_path, "OpenImages", "test", localization="masks")


def test_missing_files_name_the_command_that_makes_them(tmp_path):
    with pytest.raises(UserError, match=r"CUB/val/image_ids.txt does not exist: check `metadata_root` or run make me$"):
        read_records(tmp_path, "CUB", "val", made_by="make me")
    (put(tmp_path) / "CUB/test/image_sizes.txt").unlink()
    with pytest.raises(UserError, match=r"image_sizes.txt does not exist"):
        read_records(tmp_path, "CUB", "test")


def test_a_file_that_is_no_text_is_refused(tmp_path):
    (put(tmp_path) / "CUB/test/class_labels.txt").write_bytes(b"a/x.jpg,0\n\xff\xfe")
    with pytest.raises(UserError, match=r"class_labels.txt is not UTF-8 text \(byte 10\)"):
        read_records(tmp_path, "CUB", "test")


def test_a_name_that_the_format_cannot_hold_is_refused(tmp_path):
    with pytest.raises(UserError, match="comma"):
        write_records(tmp_path, "CUB", "test", [Record("a,b.jpg", 0)])
    assert not list(tmp_path.rglob("*.txt"))
