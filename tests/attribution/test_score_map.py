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
