"""The true class of a named image, where its folder says it."""

from collections.abc import Sequence
from pathlib import Path

from calm.data_loaders.classes import display_name
from calm.explanation.maps import Explanation


def label_of(path: Path, class_names: Sequence[str]) -> str | None:
    """The class that the image's folder is named after, as people read it; None where it is named otherwise."""
    folder = path.absolute().parent.name
    return display_name(folder) if folder in class_names else None


def is_right(explanation: Explanation, label: str | None) -> bool | None:
    """Whether the predicted class is the labelled one; None without a label."""
    return None if label is None else explanation.names[int(explanation.ranking[0])] == label
