"""Object regions from boxes and masks."""

import numpy as np
import pytest
from PIL import Image

from calm.data_loaders.truth import Truth
from calm.errors import UserError
from calm.evaluation.attribution.regions import region_of


def test_boxes_are_united_and_their_ends_belong_to_them():
    region = region_of(Truth(np.array([[1, 2, 3, 4], [3, 4, 5, 5]]), None, None), None, 8)
    slow = [[(1 <= x <= 3 and 2 <= y <= 4) or (3 <= x <= 5 and 4 <= y <= 5) for x in range(8)] for y in range(8)]
    assert region.tolist() == slow


def test_a_mask_without_its_ignored_pixels(tmp_path):
    mask, ignored = np.zeros((2, 8, 8), dtype=np.uint8)
    mask[2:6, 2:6] = ignored[4:, :] = 255
    for name, pixels in (("mask.png", mask), ("ignored.png", ignored)):
        Image.fromarray(pixels).save(tmp_path / name)
    truth = Truth(None, (tmp_path / "mask.png",), tmp_path / "ignored.png")
    assert region_of(truth, None, 8).tolist() == (mask > 0).tolist()
    assert region_of(truth, "masks", 8).sum() == 16


def test_a_missing_kind_is_an_error():
    with pytest.raises(UserError, match="`regions`=masks"):
        region_of(Truth(np.array([[0, 0, 1, 1]]), None, None), "masks", 8)
