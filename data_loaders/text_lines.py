"""Lines of the data sets' text files, with errors that name the file and the line."""

import re
from collections.abc import Container, Iterable, Iterator
from pathlib import Path

from calm.errors import UserError

WHOLE_NUMBER = re.compile("[+-]?[0-9]+")
LARGEST = 2**31 - 1
MAX_DIGITS = len(str(LARGEST))


def fault(path: Path, line: int, what: str) -> UserError:
    """The error of one line of a text file, counted from 1."""
    return UserError(f"{path}, line {line}: {what}")


def read_lines(path: Path) -> list[str]:
    """Stripped lines of a UTF-8 text file without the empty ones at its end; an empty line before that is an error.

    So the line at index i is number i + 1 of the file.
    """
    try:
        text = path.read_text(encoding="utf-8-sig").rstrip()
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}): check the folder it should be in") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text (byte {error.start})") from error
    lines = [line.strip() for line in text.split("\n")] if text else []
    if "" in lines:
        raise fault(path, lines.index("") + 1, "is empty")
    return lines


def read_rows(
    path: Path, fields: str, *, separator: str | None = ",", known: Container[str] | None = None
) -> Iterator[tuple[int, list[str]]]:
    """Yield line number and fields of each line.

    Args:
        path: the file.
        fields: names of the fields, separated by commas, as ``path,width,height``.
        separator: between the fields of a line; None is any white space.
        known: where given, the first field must be in it.
    """
    count = fields.count(",") + 1
    for number, line in enumerate(read_lines(path), start=1):
        row = line.split(separator)
        if len(row) != count:
            raise fault(path, number, f"expected {fields} but found {line!r}")
        if known is not None and row[0] not in known:
            raise fault(path, number, f"{row[0]} is not in the image list")
        yield number, row


def integers(path: Path, number: int, words: Iterable[str]) -> tuple[int, ...]:
    """The words of line ``number`` as whole numbers: digits, with a sign or none, that fit in 32 bits."""
    words = list(words)
    values = []
    for word in words:
        if not WHOLE_NUMBER.fullmatch(word.strip()):
            raise fault(path, number, f"expected whole numbers but found {','.join(words)[:200]!r}")
        digits = word.strip().lstrip("+-0")
        value = int(word) if len(digits) <= MAX_DIGITS else LARGEST + 1
        if abs(value) > LARGEST:
            raise fault(path, number, f"{word.strip()[:40]} is beyond the numbers that fit in 32 bits")
        values.append(value)
    return tuple(values)
