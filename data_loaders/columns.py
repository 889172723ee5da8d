"""Text files of comma-separated lines read as columns, a whole file at a time, without an object per line.

What is read here is strict: UTF-8 lines of the expected number of fields without white space around them, whole
numbers of digits alone. Of any other file ``read_columns`` and ``whole_numbers`` say None, and the readers that go
line by line (data_loaders/metadata.py) find out what is wrong with it, or accept it after all.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np

NEWLINE, RETURN, SPACE, COMMA, ZERO, ASCII = 10, 13, 32, 44, 48, 128
PADDING = 8
"""Bytes behind a file's own, so that eight can be read at once wherever a field ends."""
BLOCK = 1 << 22
BOM = b"\xef\xbb\xbf"
MAX_DIGITS = 9
"""Digits of a number that surely fits in int32."""
_MASKS = np.array([(1 << 8 * count) - 1 for count in range(8)] + [2**64 - 1], dtype=np.uint64)
"""Number of bytes, 0 to 8 -> the bits of so many low bytes."""
_MULTIPLIERS = np.random.default_rng(0).integers(0, 2**63, 4096, dtype=np.uint64) * np.uint64(2) + np.uint64(1)


class Column(NamedTuple):
    """One field of every line of a file."""

    data: np.ndarray
    """uint8, the file's bytes, with ``PADDING`` behind them."""
    starts: np.ndarray
    """int32 [lines], where the field begins."""
    lengths: np.ndarray
    """int32 [lines], in bytes, none of them 0."""

    def text(self, line: int) -> str:
        """The field of one line."""
        start = int(self.starts[line])
        return self.data[start : start + int(self.lengths[line])].tobytes().decode("utf-8")

    def _words(self) -> int:
        return -(-int(self.lengths.max(initial=0)) // 8)

    def _word(self, number: int) -> np.ndarray:
        """uint64 [lines], bytes 8n to 8n + 7 of each field, zero behind its end."""
        unaligned = np.ndarray((len(self.data) - 7,), np.uint64, self.data, strides=(1,))
        if 8 * number + 8 <= self.lengths.min():
            return unaligned[self.starts + 8 * number]
        places = np.minimum(self.starts + 8 * number, len(unaligned) - 1)
        return unaligned[places] & _MASKS[np.clip(self.lengths - 8 * number, 0, 8)]

    def hashes(self) -> np.ndarray:
        """uint64 [lines]; equal fields have equal hashes, and others hardly ever."""
        total = self.lengths.astype(np.uint64)
        for number in range(self._words()):
            word = self._word(number) * _MULTIPLIERS[number % len(_MULTIPLIERS)]
            mixed = (total ^ (word ^ (word >> np.uint64(29)))) * _MULTIPLIERS[-1]
            total = np.where(self.lengths > 8 * number, mixed, total)  # the same for a field beside longer ones
        return total ^ (total >> np.uint64(32))

    def equals(self, other: "Column") -> bool:
        """Whether both have the same fields, line by line."""
        if not np.array_equal(self.lengths, other.lengths):
            return False
        return all(np.array_equal(self._word(number), other._word(number)) for number in range(self._words()))

    def of_lines(self, lines: np.ndarray) -> "Column":
        """The fields of some lines, in this order."""
        return Column(self.data, self.starts[lines], self.lengths[lines])


def read_columns(path: Path, fields: int) -> list[Column] | None:
    """Every field of a file with so many on each line; None if the file is not of this form, or cannot be read."""
    try:
        data = np.zeros(path.stat().st_size + 1 + PADDING, np.uint8)
        with path.open("rb") as file:
            size = file.readinto(data.data[: -1 - PADDING])
    except OSError:
        return None
    begin = len(BOM) if data[: len(BOM)].tobytes() == BOM else 0
    while size > begin and data[size - 1] <= SPACE:
        size -= 1
    if size == begin:
        empty = np.empty(0, np.int32)
        return [Column(data, empty, empty) for _ in range(fields)]
    if size >= np.iinfo(np.int32).max:
        return None
    data[size], data[size + 1 :] = NEWLINE, 0
    text = data[begin : size + 1]
    separators = _separators(text)
    if separators is None or len(separators) % fields or not _is_utf8(text):
        return None
    separators = separators.reshape(-1, fields)
    marks = text[separators]
    if (marks[:, :-1] != COMMA).any() or (marks[:, -1] != NEWLINE).any():
        return None
    separators += begin
    line_starts = np.concatenate([[begin], separators[:-1, -1] + 1]).astype(np.int32)
    columns = []
    for number in range(fields):
        starts = line_starts if number == 0 else separators[:, number - 1] + 1
        column = Column(data, starts, separators[:, number] - starts)
        if (column.lengths < 1).any() or _is_padded(column):
            return None
        columns.append(column)
    return columns


def _separators(text: np.ndarray) -> np.ndarray | None:
    """int32, where commas and line ends are, some megabytes at a time; None if there are carriage returns."""
    found = []
    for start in range(0, len(text), BLOCK):
        block = text[start : start + BLOCK]
        if (block == RETURN).any():
            return None
        found.append((np.flatnonzero((block == COMMA) | (block == NEWLINE)) + start).astype(np.int32))
    return np.concatenate(found)


def _is_padded(column: Column) -> bool:
    """Whether a field begins or ends with white space, or with what may be some outside ASCII."""
    ends = (column.data[column.starts], column.data[column.starts + column.lengths - 1])
    return any(((end <= SPACE) | (end >= ASCII)).any() for end in ends)


def _is_utf8(text: np.ndarray) -> bool:
    if text.max() < ASCII:
        return True
    try:
        text.tobytes().decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def whole_numbers(column: Column) -> np.ndarray | None:
    """int32 [lines] from a column of digits; None if there is anything else."""
    longest = int(column.lengths.max(initial=0))
    if longest > MAX_DIGITS:
        return None
    values = np.zeros(len(column.starts), np.int32)
    for place in range(longest):
        if place < column.lengths.min():
            digits = column.data[column.starts + place] - np.uint8(ZERO)
            if (digits > 9).any():
                return None
            values = values * 10 + digits
        else:
            longer = np.flatnonzero(column.lengths > place)
            digits = column.data[column.starts[longer] + place] - np.uint8(ZERO)
            if (digits > 9).any():
                return None
            values[longer] = values[longer] * 10 + digits
    return values


def positions(column: Column, among: Column, sorted_hashes: np.ndarray, order: np.ndarray) -> np.ndarray | None:
    """int [lines]: where each field of ``column`` stands in ``among``; None if one stands nowhere.

    Args:
        column: to be found.
        among: fields that are all different.
        sorted_hashes: those of ``among``, ascending, all different.
        order: the lines of ``among`` in that order.
    """
    if column.equals(among):
        return np.arange(len(column.starts), dtype=np.int32)
    places = np.searchsorted(sorted_hashes, column.hashes())
    found = order[np.minimum(places, len(order) - 1)]
    return found if column.equals(among.of_lines(found)) else None
