"""Words are wrapped and shortened to what is there for them, and lose no letter."""

import numpy as np
import pytest

from calm.explanation.lettering import balanced, font, lettered, shortened, wrapped

TEXTS = [
    "The cue for cougar, puma, catamount, mountain lion was here with probability 0.16.",
    "x" * 300,
    f"rather than {'長' * 90} 0.5",
    "short",
    "",
]


@pytest.mark.parametrize("text", TEXTS)
def test_lines_hold_every_word_and_fit(text):
    for wrap in (wrapped, balanced):
        lines = wrap(text, 370, font(15))
        assert "".join(lines).replace(" ", "") == text.replace(" ", "")
        assert all(font(15).getlength(line) <= 370 for line in lines)
    assert len(balanced(text, 370, font(15))) == len(wrapped(text, 370, font(15)))
    picture = np.asarray(lettered(wrapped(text, 370, font(15)), 380, size=15))
    assert (picture[:, :3] == 255).all() and (picture[:, -3:] == 255).all()
    assert (picture < 128).any() == bool(text)


def test_even_lines_have_no_word_alone():
    lines = balanced("The cue for any class was here with probability 0.51.", 370, font(15))
    widths = [font(15).getlength(line) for line in lines]
    assert len(lines) == 2 and min(widths) > 0.7 * max(widths)


def test_a_long_text_is_cut_with_a_mark():
    cut = shortened("a" * 100_000, 200, font(15))
    assert cut.endswith("…") and 180 < font(15).getlength(cut) <= 200
    assert shortened("short", 200, font(15)) == "short"


def test_letters_are_drawn_as_they_are():
    pictures = [np.asarray(lettered([text], 200, size=15)) for text in ("$5 vs $6", "5 vs 6", r"$\frac{$")]
    inks = [(picture < 128).sum() for picture in pictures]
    assert inks[0] > inks[1] > 0 and inks[2] > 0
