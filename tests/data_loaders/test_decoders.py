"""The fast decoder reads what PIL reads: equal but for rounding, and PIL's own pixels and errors for odd files."""

import numpy as np
import pytest
import torch
from PIL import Image

from calm.data_loaders.datasets import ImageDataset, build_loader
from calm.data_loaders.decoders import decoder_named, fast_square, pil_square
from calm.data_loaders.record import Record
from calm.errors import UserError
from tests.tiny_data import picture, save


def difference(path, side) -> np.ndarray:
    fast, exact = fast_square(path, side), pil_square(path, side)
    assert fast.dtype == torch.uint8 and fast.shape == exact.shape == (3, side, side)
    return (fast.int() - exact.int()).abs().numpy()


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("size", [(83, 61), (20, 15), (50, 90)])
def test_a_jpeg_differs_by_one_grey_level_at_most(tmp_path, mode, size):
    path = save(picture(1, *size).convert(mode), tmp_path / "x.jpg", quality=90, progressive=True)
    found = difference(path, 48)
    assert found.max() <= 1 and found.mean() < 0.2


def test_a_jpeg_twice_as_large_is_decoded_at_half_its_size(tmp_path):
    path = save(picture(2, 400, 300), tmp_path / "x.jpg", quality=95)
    assert 0 < difference(path, 100).mean() < 1


@pytest.mark.parametrize("mode", ["CMYK", "P", "RGBA", "RGB"])
def test_odd_files_have_pils_pixels(tmp_path, mode):
    path = tmp_path / "x.jpg"  # whatever the name says
    save(picture(3, 70, 50).convert(mode), path, format="JPEG" if mode == "CMYK" else "PNG")
    assert difference(path, 32).max() == 0


def test_orientation_is_left_as_it_is(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # "rotate by 90 degrees to show"
    path = save(picture(5, 60, 20), tmp_path / "x.jpg", exif=exif)
    assert difference(path, 32).max() <= 1


@pytest.mark.parametrize("decoder", ["fast", "pil"])
def test_damage_is_one_sentence(tmp_path, decoder):
    path = save(picture(6, 60, 60), tmp_path / "x.jpg")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(UserError, match=r"^ids.txt, line 7: \S*x.jpg cannot be read as an image"):
        decoder_named(decoder)(path, 32, listed="ids.txt, line 7")
    save(Image.fromarray(np.full((4, 4), 1000, dtype=np.uint16)), path, format="PNG")
    with pytest.raises(UserError, match="more than 8 bits"):
        decoder_named(decoder)(path, 32)


def test_a_wrong_decoder_lists_the_right_ones():
    with pytest.raises(UserError, match="unknown `decoder` 'cv2': choose from fast, pil"):
        decoder_named("cv2")


def test_a_loader_normalises_bytes_as_the_data_set_does(tmp_path):
    records = [Record(save(picture(n, 40, 30), tmp_path / f"{n}.jpg").name, n) for n in range(3)]
    options = {"roots": [tmp_path], "image_list": tmp_path / "ids", "class_names": "abc", "crop_size": 16}
    dataset = ImageDataset(records, **options, mean=(0.1, 0.2, 0.3), std=(0.4, 0.5, 0.6))
    ((images, targets, _),) = build_loader(dataset, 3)
    assert targets.tolist() == [0, 1, 2] and dataset.in_bytes()[0][0].dtype == torch.uint8
    assert images.dtype == torch.float32 and torch.equal(images, torch.stack([dataset[n][0] for n in range(3)]))
