"""From what a user asks for, in words, to class indices."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import NamedTuple

from calm.data_loaders.classes import display_name
from calm.errors import UserError
from calm.explanation.maps import Question


class Ask(NamedTuple):
    """What to explain, before the image is known; None leaves it to the image."""

    target: int | None = None
    """None: the predicted class."""
    versus: int | None = None
    """None, or the predicted class where that is explained: the most probable other class."""
    subset: tuple[int, ...] | None = None
    """None: the superset of the target."""

    def of(self, ranking: Sequence[int], supersets: Mapping[int, Sequence[int]]) -> Question:
        """The question for one image.

        Args:
            ranking: class indices, the most probable first.
            supersets: class -> the classes that share its parts.
        """
        target = int(ranking[0]) if self.target is None else self.target
        others = [int(index) for index in ranking[:2] if index != target]
        versus = self.versus if self.versus not in (None, target) else (others[0] if others else target)
        subset = supersets.get(target, [target]) if self.subset is None else self.subset
        return Question(target, versus, tuple(subset))


def parse_ask(target: str, versus: str | None, subset: str, class_names: Sequence[str]) -> Ask:
    """The words of a user for target, versus and subset.

    Args:
        target: a class, or "predicted".
        versus: a class, or None.
        subset: classes with commas between them, or "superset".
        class_names: of the network, in order.

    Raises:
        UserError: a class that is none, an index out of range, or the same class twice.
    """
    ask = Ask(
        None if target == "predicted" else find_class(target, class_names, name="target"),
        None if versus is None else find_class(versus, class_names, name="versus"),
        None if subset == "superset" else find_classes(subset, class_names, name="subset"),
    )
    if ask.target is not None and ask.target == ask.versus:
        raise UserError(f"`versus`={versus}: is the class of `target` too; choose another to compare with")
    return ask


def find_classes(text: str, class_names: Sequence[str], *, name: str) -> tuple[int, ...]:
    """Several classes with commas between them, each once. A name that holds commas itself may stand alone."""
    if text in class_names:
        return (class_names.index(text),)
    words = [word.strip() for word in text.split(",") if word.strip()]
    if not words:
        raise UserError(f"`{name}` is empty: name classes with commas between them, or superset")
    return tuple(dict.fromkeys(find_class(word, class_names, name=name) for word in words))


def find_class(word: str, class_names: Sequence[str], *, name: str) -> int:
    """A class by its name, as stored or as displayed, in any case, or by its index from 0.

    Raises:
        UserError: no such class (the nearest names are given), an ambiguous name, or an index out of range.
    """
    if word.lstrip("-").isdecimal() and word not in class_names:
        return class_at(int(word), class_names, name=name)
    if word in class_names:
        return list(class_names).index(word)
    spoken = [display_name(known).lower() for known in class_names]
    wanted = display_name(word).lower()
    found = [index for index, known in enumerate(spoken) if wanted in (known, class_names[index].lower())]
    if len(found) == 1:
        return found[0]
    if found:
        raise UserError(f"`{name}`={word}: several classes have this name; give an index, one of {found}")
    nearest = get_close_matches(wanted, spoken, n=3, cutoff=0.0)
    names = ", ".join(f"'{display_name(class_names[spoken.index(name)])}'" for name in nearest)
    raise UserError(f"`{name}`={word}: no such class; the nearest are {names}")


def class_at(index: int, class_names: Sequence[str], *, name: str) -> int:
    """The index, whatever the classes are called; a UserError where it is out of range."""
    if 0 <= index < len(class_names):
        return index
    raise UserError(f"`{name}`={index}: class indices go from 0 to {len(class_names) - 1}")
