"""Which file is the map of an image."""

import pytest

from calm.data_loaders.score_maps import score_map_path, shared_stems
from calm.errors import UserError


def test_a_map_that_two_images_could_share_is_refused(tmp_path):
    ids = ["a/x.jpg", "a/x.png", "a/y.jpg", "b/x.jpg"]
    shared = shared_stems(ids)
    assert shared == {"a/x"}
    for name in ("a/x.npy", "a/y.npy", "b/x.npy"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert score_map_path(tmp_path, "a/y.jpg", shared) == tmp_path / "a/y.npy"
    assert score_map_path(tmp_path, "b/x.jpg", shared) == tmp_path / "b/x.npy"
    with pytest.raises(UserError, match=r"a/x.npy could be the map of several images: .* a/x.png x.png.npy"):
        score_map_path(tmp_path, "a/x.png", shared)
    (tmp_path / "a/x.png.npy").touch()
    assert score_map_path(tmp_path, "a/x.png", shared) == tmp_path / "a/x.png.npy"
