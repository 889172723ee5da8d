"""Which parts tell two bird classes apart: those whose attributes differ (paper, Section 5.2)."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from calm.data_loaders.cues.annotations import read_attribute_names, read_class_attributes
from calm.errors import UserError

PARTS = ("head", "back", "belly", "breast", "tail", "leg", "wing")
HEAD_WORDS = ("bill", "crown", "eye", "forehead", "head", "nape", "throat")
"""An attribute belongs to the head where its name holds one of these, to another part where it holds its name."""
NO_PART = 255
"""Value of a part map where there is no part."""
MAX_PARTS = 3
"""Pairs that differ in more parts are not evaluated."""


class ClassPair(NamedTuple):
    """Two classes (from 0) and the parts (indices into PARTS) in which they differ."""

    class_a: int
    class_b: int
    parts: tuple[int, ...]

    @property
    def part_names(self) -> list[str]:
        """Of the differing parts, in the order of PARTS."""
        return [PARTS[part] for part in self.parts]

    def mask(self, part_maps: np.ndarray) -> np.ndarray:
        """Part maps of any shape -> bool, true where the pixel belongs to a differing part."""
        table = np.zeros(256, dtype=bool)
        table[list(self.parts)] = True
        return table[part_maps]


def parts_of_attribute(name: str) -> list[int]:
    """Parts an attribute such as ``has_bill_length::shorter_than_head`` belongs to; may be none or several."""
    return [i for i, part in enumerate(PARTS) if any(word in name for word in (HEAD_WORDS if i == 0 else (part,)))]


def differing_parts(root: Path) -> np.ndarray:
    """bool [K,K,7]: whether two classes have different attributes of a part (symmetric difference)."""
    names = read_attribute_names(root)
    attributes = read_class_attributes(root, len(names))
    belongs = np.zeros((len(names), len(PARTS)), dtype=np.float32)
    for row, name in enumerate(names):
        belongs[row, parts_of_attribute(name)] = 1
    return np.stack([(own ^ attributes).astype(np.float32) @ belongs > 0 for own in attributes])


def class_pairs(differs: np.ndarray) -> list[ClassPair]:
    """All pairs a < b with one to three differing parts, by number of parts, then a, then b."""
    count = np.triu(differs.sum(axis=2))
    found = [pair_of(differs, a, b) for a, b in np.argwhere((count > 0) & (count <= MAX_PARTS))]
    return sorted(found, key=lambda pair: (len(pair.parts), pair.class_a, pair.class_b))


def pair_of(differs: np.ndarray, a: int, b: int) -> ClassPair:
    """Two classes and the parts in which ``differs`` [K,K,7] says that they differ."""
    return ClassPair(int(a), int(b), tuple(np.flatnonzero(differs[a, b]).tolist()))


def chosen_pairs(text: str, differs: np.ndarray) -> list[ClassPair]:
    """The pairs of a text such as ``9-27,9-107`` (classes from 1), in this order."""
    pairs = []
    for word in text.split(","):
        ends = [part.strip() for part in word.split("-")]
        if len(ends) != 2 or not all(end.isdecimal() and 1 <= int(end) <= len(differs) for end in ends):
            raise UserError(
                f"`class_pairs`={text}: '{word}' should be two classes from 1 to {len(differs)}, such as 1-2"
            )
        pair = pair_of(differs, int(ends[0]) - 1, int(ends[1]) - 1)
        if not 1 <= len(pair.parts) <= MAX_PARTS:
            parts = ", ".join(pair.part_names) or "no part"
            raise UserError(f"`class_pairs`={text}: classes {word} differ in {parts}; choose pairs with 1 to 3 parts")
        if any({*pair[:2]} == {*earlier[:2]} for earlier in pairs):
            raise UserError(f"`class_pairs`={text}: the classes {word} are there twice, and would count twice")
        pairs.append(pair)
    return pairs
