"""The static picture of an explanation, drawn with Pillow: the input and its maps, each with its scale and a sentence.

The figures of ``make_figures.py`` are matplotlib's; importing it and drawing would take longer than all the rest.
"""

import io
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageOps

from calm.explanation.colour_bar import colour_bar
from calm.explanation.lettering import SOFT, balanced, font, lettered, shortened, wrapped
from calm.explanation.map_picture import map_picture, scale_of
from calm.explanation.maps import Explanation

DPI = 130
WIDTH, COLUMNS = 402, 3
"""Of a panel, pixels; panels side by side."""
GAP, MARGIN, SPACE = 42, 14, 14
"""Between panels, around them all, and between the parts of one."""
TALLEST = 1000
"""Of a picture, pixels; a longer one is narrower than its panel."""
WORDS, TITLE, HEADING, CAPTION = 15, 16, 23, 14
"""Sizes of letters: sentences, titles of panels, of the figure, and what the figure is of."""
SHOWN = 4
"""Classes whose probabilities stand below the input."""


def stacked(parts: Sequence[Image.Image], gap: int) -> Image.Image:
    """Pictures of one width, one below the other on white."""
    heights = [part.height for part in parts]
    picture = Image.new("RGB", (parts[0].width, sum(heights) + gap * (len(parts) - 1)), "white")
    for index, part in enumerate(parts):
        picture.paste(part, (0, sum(heights[:index]) + index * gap))
    return picture


def beside(panels: Sequence[Image.Image]) -> Image.Image:
    """Up to ``COLUMNS`` panels in a row on white."""
    row = Image.new("RGB", (COLUMNS * (WIDTH + GAP) - GAP, max(panel.height for panel in panels)), "white")
    for column, panel in enumerate(panels):
        row.paste(panel, (column * (WIDTH + GAP), 0))
    return row


def inner_size(picture: Image.Image) -> tuple[int, int]:
    """Width and height of a picture in its panel, pixels."""
    scale = min(WIDTH / picture.width, TALLEST / picture.height)
    return max(1, round(scale * picture.width)), max(1, round(scale * picture.height))


def framed(pixels: Image.Image) -> Image.Image:
    """A picture in the middle of its panel, on white."""
    panel = Image.new("RGB", (WIDTH, pixels.height), "white")
    panel.paste(pixels, ((WIDTH - pixels.width) // 2, 0))
    return panel


def marked(picture: Image.Image, box: tuple[float, float, float, float]) -> Image.Image:
    """The picture, outlined in it a box, x0, y0, x1, y1 in shares of its sides: white on a black rim."""
    (width, height), picture = picture.size, picture.copy()
    draw = ImageDraw.Draw(picture)
    x0, x1 = (min(max(round(x * width), 2), width - 2) for x in box[::2])
    y0, y1 = (min(max(round(y * height), 2), height - 2) for y in box[1::2])
    for colour, rim in (("black", 2), ("white", 1)):
        left, top, right, bottom = x0 - rim, y0 - rim, x1 + rim - 1, y1 + rim - 1
        if left <= right and top <= bottom:  # not so in a picture of a few pixels
            draw.rectangle((left, top, right, bottom), outline=colour, width=2 * rim)
    return picture


def _words(text: str) -> Image.Image:
    return lettered(balanced(text, 0.92 * WIDTH, font(WORDS)), WIDTH, size=WORDS)


def _title(text: str) -> Image.Image:
    return lettered([shortened(text, WIDTH, font(TITLE))], WIDTH, size=TITLE, align="left")


def _map_panel(explanation: Explanation, small: Image.Image, name: str) -> Image.Image:
    kind, values = explanation.kinds[name], explanation.maps[name]
    scale = scale_of(values, signed=kind.signed)
    drawn = Image.fromarray(map_picture(small, values, scale, size=small.size, cells=explanation.cells))
    panel = framed(marked(drawn, explanation.cells.box(*explanation.peak(name))))
    bar, sentence = colour_bar(scale, kind.unit, WIDTH), _words(explanation.sentence(name))
    return stacked([_title(f"{kind.title}   {kind.formula}"), panel, bar, sentence], SPACE)


def _input_panel(explanation: Explanation, small: Image.Image) -> Image.Image:
    lines, letters = ["p(y | x)"], font(WORDS)
    for k in explanation.ranking[:SHOWN]:
        p = f"  {explanation.p_y[k]:.3f}"
        lines.append(shortened(explanation.names[k], 0.92 * WIDTH - letters.getlength(p), letters) + p)
    return stacked([_title("Input"), framed(small), lettered(lines, WIDTH, size=WORDS)], SPACE)


def _heading(explanation: Explanation, width: int) -> Image.Image:
    """Both classes and their probabilities; image and network."""
    question, letters = explanation.question, font(HEADING, bold=True)
    classes = [f"{explanation.names[k]} {explanation.p_y[k]:.3f}" for k in (question.target, question.versus)]
    lines = ["   rather than   ".join(classes)]
    if letters.getlength(lines[0]) > width:
        lines = [*wrapped(classes[0], width, letters), *wrapped(f"rather than {classes[1]}", width, letters)]
    caption = wrapped(f"{explanation.image_id} · {explanation.model}", width, font(CAPTION))
    parts = [lettered(lines, width, size=HEADING, bold=True), lettered(caption, width, size=CAPTION, colour=SOFT)]
    return stacked(parts, 6)


def explain_figure(explanation: Explanation) -> Image.Image:
    """The input and its maps, a sentence under each; the title gives both classes and their probabilities. RGB."""
    small = explanation.picture.resize(inner_size(explanation.picture), Image.Resampling.LANCZOS)
    names = [name for name, kind in explanation.kinds.items() if kind.in_figure]
    panels = [_input_panel(explanation, small), *(_map_panel(explanation, small, name) for name in names)]
    rows = [beside(panels[start : start + COLUMNS]) for start in range(0, len(panels), COLUMNS)]
    heading = _heading(explanation, rows[0].width)
    return ImageOps.expand(stacked([stacked([heading, rows[0]], GAP // 2), *rows[1:]], GAP), MARGIN, "white")


def as_png(figure: Image.Image) -> bytes:
    """A figure's file, the same for the same figure."""
    content = io.BytesIO()
    figure.save(content, "PNG", compress_level=3, dpi=(DPI, DPI))
    return content.getvalue()
