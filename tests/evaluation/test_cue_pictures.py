"""Pictures of cue localisation are drawn from whatever was measured."""

import numpy as np
import torch
from PIL import Image

from calm.data_loaders.cues.pairs import ClassPair
from calm.evaluation.cue_location.collect import Collected
from calm.evaluation.cue_location.measure import RECALLS, PairResult
from calm.evaluation.cue_location.pictures import save_curves, save_samples


class OneBird:
    """Stands for ``CueImages`` with the one image at position 3."""

    indices = (0, 0, 0, 0)

    class images:
        records = (type("Record", (), {"target": 1}),)

    def __getitem__(self, position: int) -> tuple[torch.Tensor]:
        assert position == 3
        return (torch.zeros(3, 16, 16),)


def test_curves_and_samples(tmp_path):
    pair = ClassPair(0, 1, (0, 6))
    measured = PairResult(pair, [2, 3], [5, 9], 25.0, np.full_like(RECALLS, 0.25), 5.0)
    skipped = PairResult(ClassPair(0, 2, (1,)), [], [], None, None, None)
    part_maps = np.zeros((1, 16, 16), np.uint8)
    raw = np.random.default_rng(0).random((2, 4, 4), dtype=np.float32)
    collected = Collected(raw, {(3, 0): 0, (3, 1): 1}, part_maps, {3: 0}, *torch.ones(2, 4, 7), torch.ones(4))
    save_curves(tmp_path / "curves.png", [measured, skipped], title="both")
    save_curves(tmp_path / "none.png", [skipped], title="nothing measured")
    statistics = {"names": ["a", "b", "c"], "mean": (0.5,) * 3, "std": (0.2,) * 3, "aligned": lambda maps: maps}
    save_samples(tmp_path / "samples.png", OneBird(), collected, [measured, skipped], **statistics)
    save_samples(tmp_path / "no_samples.png", OneBird(), collected, [skipped], **statistics)
    width, height = Image.open(tmp_path / "samples.png").size
    assert width > 3 * height  # five panels in one row: the image of another process is not drawn
    assert (tmp_path / "curves.png").is_file() and (tmp_path / "none.png").is_file()
    assert not (tmp_path / "no_samples.png").exists()
