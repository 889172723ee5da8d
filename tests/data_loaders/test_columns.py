"""Files read as columns: the same records and the same mistakes as line by line."""

import random

import numpy as np
import pytest

from calm.data_loaders import metadata
from calm.data_loaders.columns import read_columns, whole_numbers
from calm.data_loaders.metadata import read_records, write_records
from calm.data_loaders.record import Record
from calm.data_loaders.record_columns import RecordColumns, targets_of
from calm.errors import UserError

FILES = ("image_ids.txt", "class_labels.txt", "image_sizes.txt", "localization.txt")


def random_records(rng: random.Random, count: int) -> list[Record]:
    records = []
    for number in range(count):
        name = "".join(rng.choices("abcdef_/é.-", k=rng.randrange(1, 30)))
        size = (rng.randrange(50, 500), rng.randrange(50, 500)) if rng.random() < 0.8 else None
        corners = [sorted(rng.sample(range(50), 2)) for _ in range(2 * rng.randrange(3))]
        boxes = tuple((x0, y0, x1, y1) for (x0, x1), (y0, y1) in zip(corners[::2], corners[1::2]))
        records.append(Record(f"x{name}{number}.jpg", rng.randrange(7), size=size, boxes=boxes))
    return records


def line_by_line(*arguments, **options):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(metadata, "_read_columns", lambda *_: None)
        return outcome(*arguments, **options)


def outcome(*arguments, **options):
    """The records, or what is wrong."""
    try:
        return list(read_records(*arguments, **options))
    except UserError as error:
        return str(error)


@pytest.mark.parametrize("seed", range(6))
def test_records_come_back_as_they_were_written_in_any_order_of_lines(tmp_path, seed):
    rng = random.Random(seed)
    records = random_records(rng, rng.choice([1, 2, 9, 300]))
    folder = write_records(tmp_path, "CUB", "test", records)
    read = read_records(tmp_path, "CUB", "test", num_classes=7)
    assert isinstance(read, RecordColumns) and read == records and read[-1] == records[-1] and read[1:3] == records[1:3]
    assert targets_of(read).tolist() == targets_of(records).tolist() == [record.target for record in records]
    for name in FILES[1:]:
        lines = (folder / name).read_text().splitlines(keepends=True)
        (folder / name).write_text("".join(sorted(lines, key=lambda line: rng.random())))
    shuffled = read_records(tmp_path, "CUB", "test")
    assert isinstance(shuffled, RecordColumns)
    assert [sorted(record.boxes) for record in shuffled] == [sorted(record.boxes) for record in records]
    assert [(r.image_id, r.target, r.size) for r in shuffled] == [(r.image_id, r.target, r.size) for r in records]


MUTATIONS = (
    lambda text, rng: text.replace("\n", "\r\n"),
    lambda text, rng: "\ufeff" + text,
    lambda text, rng: text + "\n\n",
    lambda text, rng: text.rstrip("\n"),
    lambda text, rng: "",
    lambda text, rng: text + text.splitlines()[0] + "\n" if text else text,
    *(
        lambda text, rng, word=word: text[: (at := rng.randrange(len(text) + 1))] + word + text[at:]
        for word in (",", "\n", " ", "-", "_", "9" * 12, "0", "\0", "\t", "é", "\u2028", "x")
    ),
    *(lambda text, rng, at=at: text[: at % (len(text) + 1)] + text[at % (len(text) + 1) + 1 :] for at in (0, 5, 23)),
)


@pytest.mark.parametrize("seed", range(4))
def test_a_changed_file_reads_as_line_by_line(tmp_path, seed):
    rng = random.Random(seed)
    folder = write_records(tmp_path, "CUB", "test", random_records(rng, 6))
    whole = {name: (folder / name).read_text() for name in FILES}
    accepted = 0
    for name in FILES:
        for mutate in MUTATIONS:
            (folder / name).write_text(mutate(whole[name], rng), newline="")
            here, expected = (read(tmp_path, "CUB", "test", num_classes=7) for read in (outcome, line_by_line))
            assert here == expected
            accepted += isinstance(here, list)
        (folder / name).write_text(whole[name], newline="")
    assert 0 < accepted < len(FILES) * len(MUTATIONS)


def test_numbers_are_digits_alone(tmp_path):
    path = tmp_path / "a.txt"
    for text, values in (("7\n012\n345\n", [7, 12, 345]), ("7\n1_0\n", None), ("-1\n", None), ("1" * 10, None)):
        path.write_text(text)
        (column,) = read_columns(path, 1)
        numbers = whole_numbers(column)
        assert (numbers is None) if values is None else np.array_equal(numbers, values)


def test_many_boxes_of_one_image_are_read_in_linear_time(tmp_path):
    boxes = tuple((0, 0, n % 40, 1) for n in range(20_000))
    write_records(tmp_path, "CUB", "test", [Record("a.jpg", 0, size=(50, 50), boxes=boxes)])
    assert len(read_records(tmp_path, "CUB", "test")[0].boxes) == 20_000
    assert len(line_by_line(tmp_path, "CUB", "test")[0].boxes) == 20_000
