"""A loaded network explains images that are in memory."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from torch import Tensor

from calm.arguments import as_list, check_images
from calm.data_loaders.images import turned_upright
from calm.errors import UserError
from calm.explanation.explainer import Explainer
from calm.explanation.image_files import Photograph, open_image, photograph
from calm.explanation.maps import Explanation
from calm.explanation.questions import Ask, class_at, find_class
from calm.pictures.overlay import to_rgb
from calm.transform import rgb

Images = Image.Image | str | Path | Sequence[Image.Image | str | Path] | Tensor
"""A picture, several, or a normalised batch [B,3,S,S]."""
Wanted = int | str | Sequence[int | str | None] | None
"""A class by index or name; several; or none in particular."""


@dataclass(frozen=True)
class Explain:
    """(images, target, versus, subset) -> an ``Explanation`` per image; ``calm.explain`` says what they may be."""

    explainer: Explainer

    def __call__(
        self, images: Images, target: Wanted = None, versus: Wanted = None, subset: Wanted = None
    ) -> list[Explanation]:
        """Explain them with one forward pass."""
        network, batch = self.explainer.network, None
        if isinstance(images, Tensor):
            batch = check_images(images.to(next(network.parameters()).device), network=network)
        if batch is not None and batch.shape[2] != batch.shape[3]:
            raise UserError(f"`images` should be square, not {batch.shape[2]} x {batch.shape[3]}, as network.transform")
        photographs = self._shown(batch) if batch is not None else [self._opened(image) for image in as_list(images)]
        if not photographs:
            raise UserError("`images` is empty: give at least one image")
        asks = self._asks(len(photographs), target, versus, subset)
        return self.explainer.explain(photographs, asks, images=batch)

    def _opened(self, image: object) -> Photograph:
        size = self.explainer.input_size
        if isinstance(image, (str, Path)):
            return open_image(Path(image), size)
        picture = turned_upright(rgb(image))  # as a file is
        return photograph(picture, Path(getattr(image, "filename", "")).name or "image", size)

    def _shown(self, batch: Tensor) -> list[Photograph]:
        network = self.explainer.network
        pictures = [Image.fromarray(to_rgb(image, network.mean, network.std)) for image in batch]
        return [Photograph(f"image {index}", picture, picture, picture.size) for index, picture in enumerate(pictures)]

    def _asks(self, count: int, target: Wanted, versus: Wanted, subset: Wanted) -> list[Ask]:
        targets, rivals = self._per_image(target, count, "target"), self._per_image(versus, count, "versus")
        for index, rival in zip(targets, rivals):
            if rival is not None and index == rival:
                raise UserError(f"`versus`={rival} is the class of `target` too; choose another to compare with")
        members = (
            None if subset is None else tuple(dict.fromkeys(self._class(word, "subset") for word in as_list(subset)))
        )
        if members == ():
            raise UserError("`subset` is empty: give at least one class, or None for the superset of the target")
        return [Ask(*classes, members) for classes in zip(targets, rivals)]

    def _per_image(self, wanted: Wanted, count: int, name: str) -> list[int | None]:
        if isinstance(wanted, Tensor):
            wanted = wanted.tolist()
        words = as_list(wanted)
        if isinstance(wanted, (list, tuple)) and len(words) != count:
            raise UserError(f"`{name}` should be one class, or a list of one for each of {count} images")
        found = [None if word is None else self._class(word, name) for word in words]
        return found if len(found) == count else found * count

    def _class(self, word: object, name: str) -> int:
        if isinstance(word, bool) or not isinstance(word, (int, str)):
            raise UserError(f"`{name}` should be a class index or name, not a {type(word).__name__}")
        if isinstance(word, int):
            return class_at(word, self.explainer.class_names, name=name)
        return find_class(word, self.explainer.class_names, name=name)
