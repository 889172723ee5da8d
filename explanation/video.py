"""A video, or frames in files, explained frame by frame: the maps over the frames as an mp4 or a GIF.

One scale holds for all frames, so that a faint map looks faint: full colour is the highest value in the whole video.
The frames are read twice, first to be explained, then to be drawn, and never held together.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from calm.atomic import replacing
from calm.data_loaders.images import as_text
from calm.data_loaders.scan import has_suffix
from calm.errors import UserError, require
from calm.explanation.cells import Cells
from calm.explanation.explainer import Explainer
from calm.explanation.image_files import Photograph, find_images, open_image, photograph
from calm.explanation.questions import Ask
from calm.pictures.overlay import overlay

VIDEO_SUFFIXES = (".mp4", ".mov", ".avi", ".mkv", ".webm", ".gif")
DEFAULT_FPS = 10.0
"""Of frames in files, and of a video that does not say."""
FRAMES_PER_PASS = 8
BAR = 28
"""Height of the line of words below a frame, pixels."""


class Frames(NamedTuple):
    """Where frames come from."""

    read: Callable[[], Iterator[Photograph]]
    """From the first on, whenever it is called."""
    fps: float


class Shown(NamedTuple):
    """What a frame shows."""

    values: np.ndarray
    """[h,w] raw map."""
    words: str


def frames_of(words: Sequence[str], input_size: int) -> Frames:
    """A video file, or image files in order (folders and patterns as ``find_images`` takes them).

    Raises:
        UserError: there is nothing, or it is no video.
    """
    path = Path(words[0])
    if len(words) == 1 and path.is_file() and has_suffix(path.name, VIDEO_SUFFIXES):
        return Frames(lambda: _video_frames(path, input_size), _fps(path))
    paths = find_images(words)
    return Frames(lambda: (open_image(file, input_size) for file in paths), DEFAULT_FPS)


def _reader(path: Path) -> Any:
    require("imageio", extra="video")
    import imageio.v2 as imageio

    try:
        return imageio.get_reader(path, format="GIF-PIL" if has_suffix(path.name, (".gif",)) else "FFMPEG")
    except (OSError, RuntimeError, ValueError, ImportError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{as_text(path)} cannot be read as a video ({reason})") from error


def _fps(path: Path) -> float:
    with _reader(path) as reader:
        said = reader.get_meta_data()
    milliseconds = said.get("duration", 0)  # of a frame, in a GIF; of all, in seconds, in a video
    return float(said.get("fps") or (1000 / milliseconds if milliseconds else DEFAULT_FPS))


def _video_frames(path: Path, input_size: int) -> Iterator[Photograph]:
    with _reader(path) as reader:
        for number, pixels in enumerate(reader):
            image = Image.fromarray(np.asarray(pixels)).convert("RGB")
            yield photograph(image, f"{as_text(path.name)}, frame {number}", input_size)


def explain_video(explainer: Explainer, words: Sequence[str], ask: Ask, out: Path, *, fps: float | None = None) -> str:
    """Explain every frame and write ``out``; returns a sentence about it.

    Args:
        explainer: the network.
        words: a video file, or image files, a folder or a pattern.
        ask: what to explain of every frame; by default the class that is predicted for that frame.
        out: an .mp4 (needs imageio) or a .gif file.
        fps: frames a second [those of the video, else 10].

    Raises:
        UserError: another suffix, or frames that cannot be read.
    """
    if not has_suffix(out.name, (".mp4", ".gif")):
        raise UserError(f"`video`={out}: name an .mp4 or a .gif file")
    if fps is not None and not 0 < fps <= 240:
        raise UserError(f"`fps`={fps:g} should be above 0 and at most 240")
    frames = frames_of(words, explainer.input_size)
    shown, unit, signed = [], "", False
    first_pass = frames.read()
    while some := list(islice(first_pass, FRAMES_PER_PASS)):
        for explanation in explainer.explain(some, [ask] * len(some)):
            name, target = explanation.attribution, explanation.question.target
            kind = explanation.kinds[name]
            unit, signed = kind.unit, kind.signed
            line = f"{explanation.names[target]}, p = {explanation.p_y[target]:.2f}"
            shown.append(Shown(explanation.maps[name], line))
    if not shown:
        raise UserError(f"{' '.join(words)}: this video holds no frame")
    high = max(float(np.abs(each.values).max()) for each in shown) or 1.0
    cells = explainer.places(shown[0].values.shape[-1])
    each_frame = zip(frames.read(), shown, strict=True)
    pictures = (_drawn(frame.picture, each, high, signed, cells) for frame, each in each_frame)
    _write(_alike(pictures), out, fps or frames.fps)
    return f"{len(shown)} frames at {fps or frames.fps:g} a second; full colour is {high:.2g} ({unit}) in every frame"


def _drawn(picture: Image.Image, shown: Shown, high: float, signed: bool, cells: Cells) -> Image.Image:
    """A frame under its map, and the words below."""
    pixels = np.asarray(picture)
    values = cells.laid(torch.from_numpy(shown.values)[None], pixels.shape[:2])[0].numpy() / high
    scores = values.clip(-1 if signed else 0, 1)
    canvas = Image.new("RGB", (picture.width, picture.height + BAR), "white")
    canvas.paste(Image.fromarray(overlay(pixels, scores, signed=signed)))
    font = ImageFont.load_default(BAR // 2)
    ImageDraw.Draw(canvas).text((6, picture.height + BAR // 4), shown.words, fill="black", font=font)
    return canvas


def _alike(pictures: Iterable[Image.Image]) -> Iterator[Image.Image]:
    """All at the size of the first, with even sides, as video codecs want them."""
    size: tuple[int, int] | None = None
    for picture in pictures:
        size = size or (picture.width + picture.width % 2, picture.height + picture.height % 2)
        yield picture if picture.size == size else picture.resize(size)


def _write(pictures: Iterator[Image.Image], out: Path, fps: float) -> None:
    with replacing(out) as temporary:
        if has_suffix(out.name, (".gif",)):
            first = next(pictures)
            first.save(temporary, save_all=True, append_images=pictures, duration=max(10, round(1000 / fps)), loop=0)
            return
        require("imageio_ffmpeg", extra="video")
        import imageio.v2 as imageio

        options: dict[str, Any] = {"format": "FFMPEG", "mode": "I", "fps": fps, "macro_block_size": 2}
        with imageio.get_writer(temporary, **options) as opened:
            writer: Any = opened  # its format's own class
            for picture in pictures:
                writer.append_data(np.asarray(picture))
