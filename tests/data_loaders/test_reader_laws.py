"""Laws of the readers, tried on what hypothesis makes up: nothing is misread, and what is refused is one sentence."""

import io
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from calm.data_loaders.images import read_rgb, read_size
from calm.data_loaders.metadata import can_be_listed, read_records, write_records
from calm.data_loaders.record_columns import Record
from calm.data_loaders.text_lines import integers
from calm.errors import UserError
from tests.tiny_data import picture

LARGEST = 2**31 - 1
few = settings(max_examples=60, deadline=None)
names = st.text(min_size=1, max_size=12).filter(can_be_listed)
numbers = st.one_of(st.integers(0, 300), st.integers(LARGEST - 2, LARGEST + 2), st.integers(-2, 2))


def result_of(read: Callable[[], Any]) -> tuple[Any, str]:
    """What was read, or the sentence of the error."""
    try:
        return read(), ""
    except UserError as error:
        return None, str(error)


@st.composite
def boxed(draw) -> Record:
    """A record with boxes that may be anything."""
    size = draw(st.none() | st.tuples(numbers, numbers))
    boxes = draw(st.lists(st.tuples(numbers, numbers, numbers, numbers), max_size=3))
    return Record(draw(names), draw(numbers), size=size, boxes=tuple(boxes))


@st.composite
def masked(draw) -> Record:
    """A record with masks, and with one ignore mask or none."""
    masks = tuple(draw(st.lists(names, max_size=3)))
    return Record(draw(names), draw(st.integers(0, 9)), masks=masks, ignore_mask=draw(names) if masks else None)


@few
@given(records=st.lists(boxed(), min_size=1, max_size=5))
def test_boxes_that_are_written_are_read_back(records):
    with tempfile.TemporaryDirectory() as folder:
        try:
            write_records(folder, "CUB", "test", records)
        except UserError:
            assert not any(Path(folder).rglob("*.txt"))  # refused before anything is written
            return
        assert list(read_records(folder, "CUB", "test")) == records


@few
@given(records=st.lists(masked(), min_size=1, max_size=5, unique_by=lambda record: record.image_id))
def test_masks_that_are_written_are_read_back(records):
    with tempfile.TemporaryDirectory() as folder:
        write_records(folder, "OpenImages", "test", records)
        assert read_records(folder, "OpenImages", "test", localization="masks") == records


@pytest.mark.parametrize(
    "record",
    [
        Record("a.jpg", -1),
        Record("a.jpg", 0, size=(0, 5)),
        Record("a.jpg", 0, size=(9, 9), boxes=((9, 0, 12, 3),)),
        Record("a.jpg", 0, boxes=((4, 0, 3, 3),)),
        Record("a.jpg", 0, boxes=((0, 0, 1, LARGEST + 1),)),
        Record("a.jpg", 0, boxes=((0, 0, 1, 1),), masks=("m.png",)),
        Record("", 0),
        Record("\ufeffa.jpg", 0),
    ],
)
def test_what_the_reader_would_refuse_is_not_written(tmp_path, record):
    with pytest.raises(UserError, match="cannot be listed in"):
        write_records(tmp_path, "CUB", "test", [record])
    assert not any(tmp_path.iterdir())


@few
@given(word=st.one_of(st.integers().map(str), st.text(alphabet="0123456789+-_ .e٣", max_size=14)))
def test_a_number_is_read_as_written_or_refused(word):
    digits = word.strip().lstrip("+-")
    plain = digits.isascii() and digits.isdigit() and len(word.strip()) - len(digits) <= 1
    if plain and abs(int(word)) <= LARGEST:
        assert integers(Path("x"), 1, [word]) == (int(word),)
    else:
        with pytest.raises(UserError, match=r"^x, line 1: "):
            integers(Path("x"), 1, [word])


texts = st.text(alphabet="ab,0123456789\n\r\ufeff -_é", max_size=60)


@few
@given(ids=texts, labels=texts, sizes=texts, boxes=texts)
def test_any_text_is_read_or_refused_in_one_sentence(ids, labels, sizes, boxes):
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "CUB" / "test"
        place.mkdir(parents=True)
        files = {"image_ids": ids, "class_labels": labels, "image_sizes": sizes, "localization": boxes}
        for name, text in files.items():
            (place / f"{name}.txt").write_text(text, encoding="utf-8", newline="")
        records, refused = result_of(lambda: read_records(folder, "CUB", "test"))
        assert "\n" not in refused
        assert refused or all(record.image_id and 0 <= record.target <= LARGEST for record in records)


def encoded(kind: str) -> bytes:
    buffer = io.BytesIO()
    picture(0, 24, 16).save(buffer, kind)
    return buffer.getvalue()


FILES = {kind: encoded(kind) for kind in ("JPEG", "PNG", "GIF", "TIFF", "WEBP", "BMP", "DDS")}


@pytest.mark.filterwarnings("ignore::UserWarning")  # PIL's, of damaged TIFF files
@settings(max_examples=150, deadline=None)
@given(
    kind=st.sampled_from(sorted(FILES)),
    cut=st.integers(0, 3000),
    changes=st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 255)), max_size=6),
)
def test_a_damaged_image_is_read_or_refused_in_one_sentence(kind, cut, changes):
    content = bytearray(FILES[kind])
    for place, value in changes:
        content[place % len(content)] = value
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.jpg"
        path.write_bytes(bytes(content[: cut or None]))
        for upright in (False, True):
            image, refused = result_of(lambda: read_rgb(path, upright=upright))  # noqa: B023  called at once
            assert str(path) in refused if image is None else image.mode == "RGB"
        size, refused = result_of(lambda: read_size(path))
        assert str(path) in refused if size is None else min(size) > 0


def test_more_pixels_than_can_be_read_safely_are_one_sentence(tmp_path, monkeypatch, recwarn):
    picture(0, 20, 15).save(tmp_path / "x.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 200)
    assert read_rgb(tmp_path / "x.png").size == (20, 15) and not recwarn.list
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(UserError, match=r"x.png has more than 0 million pixels: make it smaller"):
        read_rgb(tmp_path / "x.png")


def test_a_photograph_is_turned_where_that_is_asked_for(tmp_path):
    image = Image.new("RGB", (80, 60), (0, 0, 255))
    image.paste((255, 0, 0), (0, 0, 80, 20))  # red at the top of what is stored
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown turned to the right
    image.save(tmp_path / "x.png", exif=exif)
    upright = read_rgb(tmp_path / "x.png", upright=True)
    assert upright.size == (60, 80) and upright.getpixel((55, 40)) == (255, 0, 0) != upright.getpixel((5, 40))
    assert read_rgb(tmp_path / "x.png").size == read_size(tmp_path / "x.png") == (80, 60)
