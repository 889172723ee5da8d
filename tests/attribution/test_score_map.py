import cv2
import numpy as np
import pytest
import torch

from calm.attribution.score_map import normalize, resize, smooth
from calm.errors import UserError


def random_maps(batch: int = 3, height: int = 7, width: int = 7) -> torch.Tensor:
    return torch.randn(batch, height, width, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("mode", "flag"), [("bilinear", cv2.INTER_LINEAR), ("bicubic", cv2.INTER_CUBIC)])
@pytest.mark.parametrize(
    ("source", "target"), [((7, 7), (224, 224)), ((28, 28), (224, 224)), ((14, 9), (50, 75)), ((40, 40), (24, 30))]
)
def test_resize_equals_opencv(mode, flag, source, target):
    maps = random_maps(2, *source)
    ours = resize(maps, target, mode=mode)
    for map_, resized in zip(maps, ours):
        theirs = cv2.resize(map_.numpy(), target[::-1], interpolation=flag)
        np.testing.assert_allclose(resized.numpy(), theirs, atol=2e-5)


def test_resize_takes_one_number_and_keeps_a_map_of_that_size():
    maps = random_maps()
    assert resize(maps, 14).shape == (3, 14, 14)
    assert torch.equal(resize(maps, 7), maps)
    with pytest.raises(UserError, match="bilinear, bicubic"):
        resize(maps, 14, mode="nearest")


def plain_sampling(map_: np.ndarray, size: tuple[int, int], stride: float, offset: float) -> np.ndarray:
    """Pixel by pixel: the two cells around it along each axis, those at the border replicated."""
    out = np.empty(size)
    for y in range(size[0]):
        for x in range(size[1]):
            value = 0.0
            for i in range(map_.shape[0]):
                for j in range(map_.shape[1]):
                    v = min(max((y - offset) / stride, 0), map_.shape[0] - 1)
                    u = min(max((x - offset) / stride, 0), map_.shape[1] - 1)
                    value += max(0, 1 - abs(v - i)) * max(0, 1 - abs(u - j)) * map_[i, j]
            out[y, x] = value
    return out


@pytest.mark.parametrize(("stride", "offset"), [(8, 0), (8, 3.5), (16, -4.25), (7, 10)])
def test_cells_lie_where_they_look(stride, offset):
    maps = random_maps(2, 3, 4).double()
    found = resize(maps, (26, 31), stride=stride, offset=offset)
    for map_, resized in zip(maps, found):
        np.testing.assert_allclose(resized, plain_sampling(map_.numpy(), (26, 31), stride, offset), atol=1e-12)


def test_alignment_laws():
    maps = random_maps(2, 7, 7)
    at_cells = resize(maps, 64, stride=8, offset=5)[:, 5::8, 5::8]
    assert torch.equal(at_cells[:, :7, :7], maps)  # the value of cell i is at offset + stride * i
    tiled = resize(maps.double(), 56, stride=8, offset=3.5)  # where the grid of tiles has the centres
    torch.testing.assert_close(tiled, resize(maps.double(), 56))
    flat = resize(torch.full((1, 7, 7), 0.1), 224, stride=16, offset=0)
    assert (flat == flat[0, 0, 0]).all()
    assert torch.equal(resize(maps, 7, stride=1), maps)
    with pytest.raises(UserError, match="`resize_mode`=bicubic"):
        resize(maps, 14, mode="bicubic", stride=2)


@pytest.mark.parametrize("ksize", [1, 3, 5, 13])
def test_smooth_equals_opencv_with_the_same_sigma(ksize):
    maps = random_maps(2, 20, 17)
    sigma = 0.3 * ((ksize - 1) / 2 - 1) + 0.8
    for map_, smoothed in zip(maps, smooth(maps, ksize)):
        theirs = cv2.GaussianBlur(map_.numpy(), (ksize, ksize), sigma, borderType=cv2.BORDER_REFLECT_101)
        np.testing.assert_allclose(smoothed.numpy(), theirs, atol=1e-5)


@pytest.mark.parametrize("ksize", [0, 4, -3, 15])
def test_smooth_refuses_an_impossible_kernel(ksize):
    with pytest.raises(UserError, match=f"`smoothing_ksize`={ksize}"):
        smooth(random_maps(), ksize)


def plain_normalize(map_: np.ndarray, kind: str) -> np.ndarray:
    """One map at a time, as the definitions read."""
    if not np.isfinite(map_).all() or map_.min() == map_.max():
        return np.zeros_like(map_)
    if kind == "max":
        return np.maximum(map_, 0) / map_.max() if map_.max() > 0 else np.zeros_like(map_)
    if kind == "minmax":
        return (map_ - map_.min()) / (map_.max() - map_.min())
    return np.clip(map_, 0, 1)


@pytest.mark.parametrize("kind", ["max", "minmax", "clipping"])
def test_normalize_equals_the_plain_version(kind):
    maps = random_maps(8)
    maps[1] = 0.25
    maps[2, 3, 3] = float("nan")
    maps[3] = -maps[3].abs() - 0.1
    maps[4, 0, 0] = float("inf")
    maps[5] = maps[5].abs() * 1e-3
    maps[6] = maps[6] * 1e4
    maps[7] = 0
    before = maps.clone()
    scores = normalize(maps, kind)
    for map_, score in zip(maps.numpy(), scores.numpy()):
        np.testing.assert_allclose(score, plain_normalize(map_, kind), atol=1e-6)
    assert scores.min() >= 0
    assert scores.max() <= 1
    assert torch.equal(maps.nan_to_num(), before.nan_to_num())  # the input is left alone


def test_clipping_keeps_probabilities_as_they_are():
    maps = torch.rand(2, 5, 5, generator=torch.Generator().manual_seed(0))
    assert torch.equal(normalize(maps, "clipping"), maps)


def test_normalize_refuses_an_unknown_kind():
    with pytest.raises(UserError, match="max, minmax, clipping"):
        normalize(random_maps(), "l2")


def test_minmax_of_values_whose_difference_is_no_number():
    maps = torch.tensor([[[-3e38, 3e38], [0, 1]], [[1e-42, 3e-42], [2e-42, 1e-42]], [[5.0, 5.0], [5.0, 5.0]]])
    scores = normalize(maps, "minmax")
    assert scores[0].tolist() == [[0, 1], [0.5, 0.5]] and scores[2].tolist() == [[0, 0], [0, 0]]
    assert scores[1].flatten().tolist() == pytest.approx([0, 1, 0.5, 0], abs=1e-2)
    half = torch.tensor([[[-6e4, 6e4]]], dtype=torch.float16)
    assert normalize(half, "minmax").tolist() == [[[0, 1]]]
