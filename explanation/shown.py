"""What the paper's figures show: runs, and pictures, of a data set's test split or of the user."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from munch import Munch
from torch import Tensor

from calm import distributed, runs
from calm.data_loaders.catalogue import DataSet, dataset_named
from calm.data_loaders.classes import display_name
from calm.data_loaders.cues.pairs import ClassPair
from calm.data_loaders.images import as_text, read_rgb
from calm.data_loaders.transforms import to_tensor
from calm.errors import UserError, as_flags
from calm.explanation.explainer import Explainer, explainer_of, method_in_words
from calm.explanation.image_files import Photograph, find_images, photograph
from calm.explanation.maps import Explanation
from calm.explanation.questions import Ask, parse_ask
from calm.flags import Config, flags_of
from calm.networks.network import Network


class Run(NamedTuple):
    """A run that a figure shows."""

    network: Network
    flags: Config
    explainer: Explainer
    method: str
    """Method and prior in words."""
    folder: str

    @property
    def data_set(self) -> DataSet:
        """Of the run."""
        return dataset_named(self.flags.dataset_name)

    @property
    def names(self) -> list[str]:
        """Class names as people read them."""
        return [display_name(name) for name in self.explainer.class_names]

    @property
    def size(self) -> int:
        """Side of the network's input, pixels."""
        return self.flags.crop_size


class Shown(NamedTuple):
    """A picture, the two classes that are compared, and where the true cue is."""

    path: Path
    image_id: str
    target: int
    versus: int
    pair: ClassPair | None = None
    """Of both classes, where the data set knows the parts in which they differ."""
    part_map: np.ndarray | None = None
    """uint8 [S,S], of the same data sets."""
    upright: bool = False
    """Turned as its EXIF orientation says: of a user's photographs, not of a data set's images."""

    @property
    def cue(self) -> np.ndarray | None:
        """bool [S,S], the parts in which the classes differ, where they are known."""
        return None if self.pair is None or self.part_map is None else self.pair.mask(self.part_map)

    @property
    def parts(self) -> Sequence[str]:
        """Their names."""
        return self.pair.part_names if self.pair else ()

    def photograph(self, size: int) -> Photograph:
        """Read it, for a network whose input has ``size`` pixels a side."""
        return photograph(read_rgb(self.path, upright=self.upright), as_text(self.path.name), size)

    def image(self, run: Run) -> Tensor:
        """[3,S,S], as the run's network sees it, on its device."""
        view = self.photograph(run.size).view
        return to_tensor(view, run.network.mean, run.network.std).to(next(run.network.parameters()).device)

    def explained(self, run: Run, *, subset: tuple[int, ...] | None = None) -> Explanation:
        """By the run's network."""
        return run.explainer.explain([self.photograph(run.size)], [Ask(self.target, self.versus, subset)])[0]


def load(args: Munch, checkpoint: str) -> Run:
    """One run."""
    flags = {name: flag.default for name, flag in flags_of("main").items()}
    asked = Config(flags | args | {"load_checkpoint": checkpoint})
    network, stated, path, _, class_names = runs.restore(asked, distributed.init().device)
    explainer = explainer_of(network, stated, class_names, source=str(path), say=lambda notice: print(as_flags(notice)))
    return Run(network, stated, explainer, method_in_words(network, stated.prior_activation), path.parent.name)


def load_all(args: Munch) -> list[Run]:
    """Every run of the command line; they should know the same classes."""
    loaded = [load(args, checkpoint) for checkpoint in args.load_checkpoint]
    for run in loaded[1:]:
        if list(run.explainer.class_names) != list(loaded[0].explainer.class_names):
            raise UserError(
                f"`load_checkpoint`: {loaded[0].folder} and {run.folder} know other classes, and a figure shows one "
                "data set"
            )
    return loaded


def users_images(args: Munch, run: Run) -> list[Shown]:
    """The images that the command line names, each with the class it asks for, or the predicted one and its rival."""
    ask = parse_ask(args.target or "predicted", args.versus, "superset", run.explainer.class_names)
    found = []
    for path in find_images(args.image):
        question = run.explainer(path, ask).question
        found.append(Shown(path, as_text(path.name), question.target, question.versus, upright=True))
    return found
