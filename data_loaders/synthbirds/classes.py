"""Classes of SynthBirds: which part has which look, in families whose members differ in 1, 2 or 3 parts.

A family is a rectangle: one part (the *lone* part) takes one of two looks, and two further parts (the *pair*) take
one of two looks together. Of its four members, two pairs of classes differ in 1 part, two in 2 and two in 3. The
pair usually swaps its two looks, so that the bird's colour histogram hardly changes: the cue is where a colour is.
"""

from itertools import combinations
from typing import NamedTuple

import numpy as np

PARTS = ("head", "back", "belly", "breast", "tail", "leg", "wing")
MAX_CLASSES = 200
CLASSES_PER_FAMILY = 4

COLORS = {  # name -> RGB
    "black": (44, 41, 46),
    "white": (240, 238, 230),
    "grey": (142, 147, 154),
    "brown": (104, 72, 50),
    "rufous": (178, 88, 42),
    "buff": (224, 194, 148),
    "yellow": (244, 206, 52),
    "orange": (238, 130, 38),
    "red": (202, 44, 42),
    "pink": (234, 142, 164),
    "purple": (112, 70, 156),
    "blue": (52, 106, 196),
    "green": (66, 148, 74),
    "olive": (126, 124, 58),
}
PATTERNS = {  # part -> patterns its look may have
    "head": ("solid", "capped", "masked", "eyebrow", "bibbed"),
    "back": ("solid", "striped", "spotted", "scaled"),
    "belly": ("solid", "striped", "spotted", "barred"),
    "breast": ("solid", "striped", "spotted", "scaled"),
    "tail": ("solid", "barred", "tipped"),
    "leg": ("solid",),
    "wing": ("solid", "barred", "spotted", "edged"),
}
SHAPES = ("finch", "thrush", "warbler", "wren", "jay", "wader", "dove")
FAMILIES = (  # noun, body shape
    ("Finch", "finch"),
    ("Thrush", "thrush"),
    ("Jay", "jay"),
    ("Plover", "wader"),
    ("Wren", "wren"),
    ("Dove", "dove"),
    ("Warbler", "warbler"),
    ("Oriole", "thrush"),
    ("Tanager", "finch"),
    ("Magpie", "jay"),
    ("Sandpiper", "wader"),
    ("Bunting", "finch"),
    ("Starling", "thrush"),
    ("Vireo", "warbler"),
    ("Rail", "wader"),
    ("Pigeon", "dove"),
    ("Siskin", "finch"),
    ("Shrike", "jay"),
    ("Kinglet", "wren"),
    ("Robin", "thrush"),
    ("Flycatcher", "warbler"),
    ("Grosbeak", "finch"),
    ("Mockingbird", "jay"),
    ("Dipper", "wren"),
    ("Linnet", "finch"),
    ("Lapwing", "wader"),
    ("Redstart", "warbler"),
    ("Waxwing", "thrush"),
    ("Cuckoo", "jay"),
    ("Titmouse", "wren"),
    ("Sparrow", "finch"),
    ("Pipit", "warbler"),
    ("Grackle", "jay"),
    ("Turnstone", "wader"),
    ("Chat", "thrush"),
    ("Cardinal", "finch"),
    ("Towhee", "thrush"),
    ("Babbler", "wren"),
    ("Weaver", "finch"),
    ("Thrasher", "jay"),
    ("Sunbird", "warbler"),
    ("Bulbul", "thrush"),
    ("Junco", "finch"),
    ("Stint", "wader"),
    ("Catbird", "jay"),
    ("Waxbill", "finch"),
    ("Wagtail", "warbler"),
    ("Quail", "dove"),
    ("Nuthatch", "wren"),
    ("Honeyeater", "warbler"),
)


class Look(NamedTuple):
    """Colour and pattern of one part; ``mark`` is the colour of the pattern, None when the part is solid."""

    color: str
    pattern: str = "solid"
    mark: str | None = None


class BirdClass(NamedTuple):
    """One class: its name as in classes.txt without the number, the body shape of its family, one look per part."""

    name: str
    family: str
    shape: str
    looks: tuple[Look, ...]  # in the order of PARTS


class Family(NamedTuple):
    """The looks of the first member, and what the other members change."""

    looks: tuple[Look, ...]
    lone: tuple[str, Look]
    pair: tuple[tuple[str, Look], tuple[str, Look]]


def _look(text: str) -> Look:
    return Look(*text.split())


def _family(looks: str, lone: str, pair: str) -> Family:
    """Read the short hand of HAND_MADE: looks separated by commas, changes as ``part look``."""
    changes = [tuple(change.split(maxsplit=1)) for change in (lone, *pair.split(", "))]
    first, second, third = [(part, _look(look)) for part, look in changes]
    return Family(tuple(_look(look) for look in looks.split(", ")), first, (second, third))


HAND_MADE = (  # head, back, belly, breast, tail, leg, wing ; lone part's other look ; pair's other looks
    _family("red, brown, white, yellow, black, orange, blue barred white", "tail yellow", "head yellow, breast red"),
    _family(
        "blue capped black, yellow, red, white spotted black, brown, yellow, brown barred white",
        "breast white",
        "back red, belly yellow",
    ),
    _family(
        "yellow masked black, blue, white, brown, red, black, white edged black",
        "leg red",
        "wing red edged black, tail white",
    ),
    _family(
        "white capped black, brown, white, brown, black, red, brown spotted white",
        "head white masked black",
        "back white, breast brown scaled white",
    ),
    _family(
        "rufous eyebrow white, rufous, buff, white, brown barred black, pink, brown barred buff",
        "belly buff barred brown",
        "head brown eyebrow white, wing rufous barred buff",
    ),
    _family(
        "grey, pink, white, pink, grey tipped black, red, grey barred black", "back grey", "breast grey, head pink"
    ),
)


def attribute_names() -> list[str]:
    """Names of all attributes in CUB's style; each holds the word of one part and of no other."""
    colors = [f"has_{part}_color::{color}" for part in PARTS for color in COLORS]
    patterns = [f"has_{part}_pattern::{pattern}" for part in PARTS if part != "leg" for pattern in PATTERNS[part]]
    return colors + patterns


def attributes_of(bird: BirdClass) -> set[str]:
    """Names of the attributes that a class has."""
    names = set()
    for part, look in zip(PARTS, bird.looks):
        names |= {f"has_{part}_color::{color}" for color in (look.color, look.mark) if color}
        if part != "leg":
            names.add(f"has_{part}_pattern::{look.pattern}")
    return names


def differing_parts(a: BirdClass, b: BirdClass) -> list[str]:
    """Parts whose looks differ between two classes, in the order of PARTS."""
    return [part for part, one, other in zip(PARTS, a.looks, b.looks) if one != other]


def siblings(index: int, num_classes: int) -> list[int]:
    """Indices (from 0) of the other members of a class's family."""
    start = index - index % CLASSES_PER_FAMILY
    return [i for i in range(start, min(start + CLASSES_PER_FAMILY, num_classes)) if i != index]


def _contrast(a: str, b: str) -> float:
    """Distance of two colours in RGB, weighted as the eye weighs them."""
    difference = np.subtract(COLORS[a], COLORS[b], dtype=float)
    return float(np.sqrt((difference**2 * (0.3, 0.5, 0.2)).sum()))


def _random_look(part: str, rng: np.random.Generator) -> Look:
    color = str(rng.choice(list(COLORS)))
    pattern = "solid" if rng.random() < 0.5 else str(rng.choice(PATTERNS[part]))
    marks = [mark for mark in ("black", "white", "buff", "yellow") if _contrast(mark, color) > 70]
    return Look(color) if pattern == "solid" else Look(color, pattern, str(rng.choice(marks)))


def _random_family(rng: np.random.Generator) -> Family:
    """Draw a family whose changes are plain to see: new colours contrast with the old ones."""
    looks = [_random_look(part, rng) for part in PARTS]
    lone, first, second = rng.choice(len(PARTS), 3, replace=False)
    while _contrast(looks[first].color, looks[second].color) < 60:
        looks[second] = _random_look(PARTS[second], rng)
    other = _random_look(PARTS[lone], rng)
    while _contrast(looks[lone].color, other.color) < 60:
        other = _random_look(PARTS[lone], rng)
    swapped = [(PARTS[i], looks[i]._replace(color=looks[j].color)) for i, j in ((first, second), (second, first))]
    swapped = [(part, look if look.mark != look.color else Look(look.color)) for part, look in swapped]
    return Family(tuple(looks), (PARTS[lone], other), (swapped[0], swapped[1]))


def _title(part: str, look: Look) -> str:
    """How a name speaks of a look: Yellow_breasted, Black_masked, Barred_bellied ..."""
    adjective = {"belly": "bellied", "wing": "winged", "leg": "legged"}.get(part, f"{part}ed")
    if part == "head" and look.pattern in ("capped", "masked", "bibbed"):
        return f"{look.mark}_{look.pattern}".capitalize()
    quality = look.color if look.pattern in ("solid", "eyebrow", "edged", "tipped") else f"{look.pattern}_{look.color}"
    return f"{quality}_{adjective}".capitalize()


def _members(family: Family, noun: str, shape: str) -> list[BirdClass]:
    members = []
    for changes in ((), (family.lone,), family.pair, (family.lone, *family.pair)):
        looks = dict(zip(PARTS, family.looks)) | dict(changes)
        title = "_".join(_title(part, looks[part]) for part in (family.pair[0][0], family.lone[0]))
        members.append(BirdClass(f"{title}_{noun}", noun, shape, tuple(looks.values())))
    return members


def bird_classes(num_classes: int = 12) -> list[BirdClass]:
    """The first ``num_classes`` (2 to 200) classes; a class is the same whatever their number and the images' seed.

    Members of different families differ in at least 4 parts, so that every pair of up to 3 parts lies in a family.
    """
    rng = np.random.default_rng(2021)
    classes: list[BirdClass] = []
    for number, (noun, shape) in enumerate(FAMILIES):
        while True:
            members = _members(HAND_MADE[number] if number < len(HAND_MADE) else _random_family(rng), noun, shape)
            names_differ = len({bird.name for bird in members}) == len(members)
            attributes_differ = all(attributes_of(a) != attributes_of(b) for a, b in combinations(members, 2))
            far = all(len(differing_parts(a, b)) > 3 for a in members for b in classes)
            if (names_differ and attributes_differ and far) or number < len(HAND_MADE):
                break
        classes += members
        if len(classes) >= num_classes:
            break
    return classes[:num_classes]
