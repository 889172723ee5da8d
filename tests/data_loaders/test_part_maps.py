"""Where the parts are: nearest points pixel by pixel, the expected mask areas, exact masks."""

import json

import numpy as np
import pytest
from PIL import Image

from calm.data_loaders.cues.pairs import NO_PART, PARTS, chosen_pairs, differing_parts
from calm.data_loaders.cues.part_maps import ExactParts, KeypointParts, nearest_parts, part_points
from calm.errors import UserError


def keypoints(**points: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """[15,2] and visibility from k<number>=(x, y)."""
    places, visible = np.zeros((15, 2)), np.zeros(15, dtype=bool)
    for name, point in points.items():
        places[int(name[1:]) - 1], visible[int(name[1:]) - 1] = point, True
    return places, visible


def test_points_are_scaled_averaged_and_truncated_once():
    places, visible = keypoints(k5=(10.9, 20), k15=(12, 20.5), k1=(99.9, 49.9), k8=(50, 0), k12=(0, 25))
    points = part_points(places, visible, (100, 50), 200)
    # head: x 2 (10.9 + 12) / 2 = 22.9, y 4 (20 + 20.5) / 2 = 81; legs stay two points
    assert points == [(0, 22, 81), (1, 199, 199), (5, 100, 0), (5, 0, 100)]
    separate = part_points(places, visible, (100, 50), 200, "all")
    assert separate == [(0, 21, 80), (0, 24, 82), (1, 199, 199), (5, 100, 0), (5, 0, 100)]
    assert part_points(places, np.zeros(15, dtype=bool), (100, 50), 200) == []


def test_every_pixel_goes_to_its_nearest_point_the_first_on_ties():
    points = [(0, 3, 3), (1, 7, 3), (5, 2, 9), (5, 9, 9), (6, 3, 3), (6, 12, 12)]
    parts = nearest_parts(points, 10)
    for y in range(10):
        for x in range(10):
            distances = [(x - px) ** 2 + (y - py) ** 2 for _, px, py in points]
            assert parts[y, x] == points[distances.index(min(distances))][0]
    assert parts[3, 5] == 0  # as far from the back's point
    assert (nearest_parts([], 4) == NO_PART).all()


def test_mask_areas_equal_the_expected_ones(expected, fake_cub):
    lines = (fake_cub / "metadata/CUB/test/image_sizes.txt").read_text().split()
    sizes = {name: (int(width), int(height)) for name, width, height in (line.rsplit(",", 2) for line in lines)}
    part_maps = KeypointParts(fake_cub / "CUB", list(sizes), list(sizes.values()))
    found = {name: part_maps(index) for index, name in enumerate(sizes)}
    records = json.loads((expected / "cue.json").read_text())["calm_jointll_clipping_log"]["pairs"]
    pairs = chosen_pairs(
        ",".join("{}-{}".format(*record["pair"]) for record in records), differing_parts(fake_cub / "CUB")
    )
    areas, left_out = 0, 0
    for record, pair in zip(records, pairs, strict=True):
        for image in record["images"]:
            part_map, visible = found[image["id"]]
            area = int(pair.mask(part_map).sum()) if visible[list(pair.parts)].any() else None
            assert area == image["mask_sum"], image["id"]
            areas, left_out = areas + (area is not None), left_out + (area is None)
    assert areas > 100 and left_out > 5


def test_without_segmentation_every_pixel_has_a_part(fake_cub):
    name = "009.Brewer_Blackbird/Brewer_Blackbird_0099_2560.jpg"
    whole, visible = KeypointParts(fake_cub / "CUB", [name], [(500, 319)], inside_bird=False)(0)
    inside, same = KeypointParts(fake_cub / "CUB", [name], [(500, 319)])(0)
    assert (whole != NO_PART).all() and 0.05 < (inside != NO_PART).mean() < 0.95
    assert (whole == inside)[inside != NO_PART].all() and np.array_equal(visible, same)


def test_all_points_of_the_head_move_pixels_between_parts(fake_cub):
    name = "009.Brewer_Blackbird/Brewer_Blackbird_0099_2560.jpg"
    (mean, seen), (every, same) = (
        KeypointParts(fake_cub / "CUB", [name], [(500, 319)], inside_bird=False, points=points)(0)
        for points in ("mean", "all")
    )
    assert 0.001 < (mean != every).mean() < 0.5 and np.array_equal(seen, same)
    with pytest.raises(UserError, match="mean, all"):
        KeypointParts(fake_cub / "CUB", [name], [(500, 319)], points="some")


def test_a_missing_segmentation_is_named(fake_cub):
    name = "001.Black_footed_Albatross/Black_Footed_Albatross_0046_18.jpg"
    with pytest.raises(UserError, match=r"Black_Footed_Albatross_0046_18\.png is missing.*mask_to_segmentation`=False"):
        KeypointParts(fake_cub / "CUB", [name], [(500, 400)])(0)


def test_exact_parts_are_the_pixels_of_the_mask(tmp_path):
    mask = np.array([[0, 1], [7, 9]], dtype=np.uint8)
    (tmp_path / "part_masks" / "a").mkdir(parents=True)
    Image.fromarray(mask).save(tmp_path / "part_masks" / "a" / "x.png")
    parts, visible = ExactParts(tmp_path, ["a/x.jpg"], size=4)(0)
    assert parts[::2, ::2].tolist() == [[NO_PART, 0], [6, NO_PART]] and np.array_equal(parts[0], parts[1])
    assert [PARTS[part] for part in np.flatnonzero(visible)] == ["head", "wing"]
    with pytest.raises(UserError, match="has no part masks"):
        ExactParts(tmp_path / "a", [])
