import numpy as np
import pytest
from PIL import Image

from calm.data_loaders.masks import read_object_mask
from calm.errors import UserError
from tests.tiny_data import save


def put(folder, name, values, mode="L"):
    return save(Image.fromarray(np.asarray(values, dtype=np.uint8)).convert(mode), folder / f"{name}.png")


def slow_mask(masks, ignore, size):
    """The rule pixel by pixel; nearest takes the source pixel floor(i * length / size)."""
    out = np.zeros((size, size), dtype=np.uint8)
    for y in range(size):
        for x in range(size):

            def hit(mask, y=y, x=x):
                return mask[y * mask.shape[0] // size, x * mask.shape[1] // size] > 0.5

            if any(hit(mask) for mask in masks):
                out[y, x] = 1
            elif hit(ignore):
                out[y, x] = 255
    return out


@pytest.mark.parametrize("shape", [(32, 48), (9, 7), (16, 16)])
def test_masks_equal_the_rule_pixel_by_pixel(tmp_path, shape):
    generator = np.random.default_rng(0)
    arrays = [255 * (generator.random(shape) < chance) for chance in (0.2, 0.1, 0.5)]
    first, second, ignore = (put(tmp_path, str(number), array) for number, array in enumerate(arrays))
    mask = read_object_mask([first, second], ignore, 16)
    assert mask.dtype == np.uint8 and set(np.unique(mask)) == {0, 1, 255}
    assert np.array_equal(mask, slow_mask(arrays[:2], arrays[2], 16))


def test_without_an_ignore_mask_nothing_is_ignored(tmp_path):
    mask = read_object_mask([put(tmp_path, "a", [[255, 0], [0, 0]])], None, 4)
    assert mask.tolist() == [[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "LA"])
def test_any_png_mode_gives_the_same_mask(tmp_path, mode):
    values = np.zeros((6, 6))
    values[1:4, 2:5] = 255
    assert np.array_equal(read_object_mask([put(tmp_path, "a", values, mode)], None, 6), values > 0)


@pytest.mark.parametrize("mode", ["LA", "RGBA", "P"])
def test_what_is_transparent_is_no_object(tmp_path, mode):
    """As programs write a white object without a background: white everywhere, most of it transparent."""
    opaque = np.zeros((4, 4), dtype=np.uint8)
    opaque[1, 2:] = 255
    path = tmp_path / "a.png"
    if mode == "P":
        mask = Image.fromarray(opaque // 255, "P")
        mask.putpalette([255] * 6)  # both colours are white
        save(mask, path, transparency=0)
    else:
        mask = Image.new("L", (4, 4), 255).convert(mode)
        mask.putalpha(Image.fromarray(opaque))
        save(mask, path)
    assert np.array_equal(read_object_mask([path], None, 4), opaque > 0)


def test_a_bad_mask_is_named(tmp_path):
    good = put(tmp_path, "a", [[255, 0], [0, 0]])
    with pytest.raises(UserError, match=r"object mask .*b.png does not exist"):
        read_object_mask([good, tmp_path / "b.png"], None, 4)
    (tmp_path / "c.png").write_bytes(good.read_bytes()[:40])
    with pytest.raises(UserError, match=r"object mask .*c.png cannot be read as an image"):
        read_object_mask([good], tmp_path / "c.png", 4)
