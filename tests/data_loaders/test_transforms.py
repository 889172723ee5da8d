from collections import Counter

import numpy as np
import pytest
import torch
from PIL import Image

from calm.data_loaders.images import read_rgb, read_size
from calm.data_loaders.transforms import check_sizes, crop_and_flip, evaluation_view, to_tensor, training_view
from calm.errors import UserError
from tests.tiny_data import picture, save

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def test_to_tensor_equals_the_formula_pixel_by_pixel():
    image = picture(0, 7, 5)
    tensor = to_tensor(image, MEAN, STD)
    assert tensor.shape == (3, 5, 7) and tensor.dtype == torch.float32 and tensor.is_contiguous()
    for x, y in ((0, 0), (6, 4), (3, 2)):
        for channel, value in enumerate(image.getpixel((x, y))):
            assert tensor[channel, y, x].item() == pytest.approx((value / 255 - MEAN[channel]) / STD[channel], abs=1e-6)


def test_views_equal_torchvisions_transforms_bit_by_bit():
    from torchvision import transforms

    image = picture(1, 83, 61)
    plain = transforms.Compose([transforms.Resize((24, 24)), transforms.ToTensor(), transforms.Normalize(MEAN, STD)])
    assert torch.equal(to_tensor(evaluation_view(image, crop_size=24), MEAN, STD), plain(image))


def test_the_training_view_is_a_crop_of_the_resized_image_maybe_mirrored():
    whole = np.array(picture(2, 50, 90).resize((32, 32), Image.Resampling.BILINEAR))
    pixels = torch.from_numpy(whole).permute(2, 0, 1)
    for index in range(20):
        left, top, flip = crop_and_flip(8, seed=3, epoch=1, index=index)
        view = training_view(pixels, crop_size=24, seed=3, epoch=1, index=index)
        crop = whole[top : top + 24, left : left + 24]
        assert np.array_equal(view.permute(1, 2, 0).numpy(), crop[:, ::-1] if flip else crop)


def test_crops_and_flips_are_uniform_and_depend_on_seed_epoch_and_index():
    draws = [crop_and_flip(3, seed=0, epoch=epoch, index=index) for epoch in range(10) for index in range(160)]
    counts = Counter(draws)
    assert len(counts) == 4 * 4 * 2 and min(counts.values()) > 25 and max(counts.values()) < 80
    first = [crop_and_flip(1000, seed=1, epoch=1, index=index) for index in range(4)]
    assert first == [crop_and_flip(1000, seed=1, epoch=1, index=index) for index in range(4)]
    for other in ({"seed": 2, "epoch": 1}, {"seed": 1, "epoch": 2}):
        assert first != [crop_and_flip(1000, index=index, **other) for index in range(4)]
    assert crop_and_flip(0, seed=0, epoch=0, index=0)[:2] == (0, 0)


def test_the_global_random_state_is_left_alone():
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    training_view(torch.zeros(3, 32, 32, dtype=torch.uint8), crop_size=24, seed=0, epoch=0, index=0)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.array_equal(np.random.get_state()[1], before[1])  # noqa: NPY002


def test_a_crop_larger_than_the_image_is_refused():
    with pytest.raises(UserError, match="`crop_size`=300 is larger than `resize_size`=256"):
        check_sizes(256, 300)
    check_sizes(224, 224)


@pytest.mark.parametrize(
    ("mode", "suffix"),
    [
        ("L", "jpg"),
        ("CMYK", "jpg"),
        ("P", "png"),
        ("LA", "png"),
        ("RGBA", "png"),
        ("1", "png"),
        ("RGB", "webp"),
    ],
)
def test_any_eight_bit_mode_becomes_rgb(tmp_path, mode, suffix):
    image = picture(3, 20, 10).convert(mode)
    path = save(image, tmp_path / f"x.{suffix}", **({"lossless": True} if suffix == "webp" else {}))
    read = read_rgb(path)
    assert (read.mode, read.size) == ("RGB", (20, 10))
    difference = np.asarray(read).astype(int) - np.asarray(image.convert("RGB"))
    assert np.abs(difference).mean() < (6 if suffix == "jpg" else 1e-9)


def test_alpha_is_dropped_not_blended(tmp_path):
    image = picture(4, 8, 8).convert("RGBA")
    image.putalpha(0)
    assert np.array_equal(np.asarray(read_rgb(save(image, tmp_path / "x.png"))), np.asarray(picture(4, 8, 8)))


def test_exif_orientation_is_left_as_it_is(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # "rotate by 90 degrees to show"
    path = save(picture(5, 30, 10), tmp_path / "x.jpg", exif=exif)
    assert read_rgb(path).size == read_size(path) == (30, 10)


def test_sixteen_bits_are_refused_not_clipped(tmp_path):
    path = save(Image.fromarray(np.full((4, 4), 1000, dtype=np.uint16)), tmp_path / "x.png")
    with pytest.raises(UserError, match=r"x.png has more than 8 bits"):
        read_rgb(path)


@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_a_truncated_file_is_named(tmp_path, suffix):
    path = save(picture(6, 60, 60), tmp_path / f"x.{suffix}")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(UserError, match=rf"image_ids.txt, line 7: .*x.{suffix} cannot be read as an image"):
        read_rgb(path, listed="image_ids.txt, line 7")
    path.write_bytes(b"no image")
    with pytest.raises(UserError, match=rf"x.{suffix} cannot be read as an image"):
        read_size(path)
