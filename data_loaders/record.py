"""What is known of one image, and the splits it may be in."""

from dataclasses import dataclass

SPLITS = ("train", "val", "test")
Box = tuple[int, int, int, int]
Size = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Record:
    """One image and what is known about it.

    Attributes:
        image_id: path relative to the data set's image folder.
        target: class, from 0.
        size: width and height in pixels, or None where the metadata does not say.
        boxes: (x0, y0, x1, y1) in pixels of the original image, corners inclusive.
        masks: object masks, paths relative to ``<mask_root>/OpenImages/``.
        ignore_mask: path of the mask of the pixels that do not count, or None.
    """

    image_id: str
    target: int
    size: Size | None = None
    boxes: tuple[Box, ...] = ()
    masks: tuple[str, ...] = ()
    ignore_mask: str | None = None
