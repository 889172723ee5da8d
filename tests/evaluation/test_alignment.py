"""Cells where the trunk looks: what an evaluation does to the maps of its session."""

from pathlib import Path

import pytest
import torch

from calm import config, distributed
from calm.attribution import build_attribution
from calm.attribution.score_map import resize
from calm.engine import Prediction
from calm.errors import UserError
from calm.evaluation.raw_maps import aligned, raw_maps
from calm.evaluation.session import Session
from calm.runs import Restored
from tests.tiny_networks import tiny_batch, tiny_network

SIZE = 12


def session(*flags: str, script: str = "eval_pixel_perturb") -> Session:
    network = tiny_network("CALM_EM")
    network.cell_stride, network.cell_offset = 2, 0.5
    args = config.parse([f"--crop_size={SIZE}", "--smoothing_ksize=1", *flags], script)
    return Session("any", args, distributed.init(), Path(), Restored(network, args, Path(), "", None))


def prediction(network: torch.nn.Module) -> Prediction:
    images, targets = tiny_batch(size=SIZE)
    with torch.inference_mode():
        return Prediction(network(images), images, targets, torch.arange(len(images)))


@pytest.mark.parametrize("name", ["joint", "cam", "gradcam", "gradient"])
def test_maps_of_the_grid_are_laid_where_cells_look(name):
    receptive, grid = session("--resize_alignment=receptive_field"), session()
    batch = prediction(receptive.network)
    raw = build_attribution(name)(receptive.network, batch.images, batch.targets)
    assert torch.allclose(raw_maps(grid, name)(batch), raw, atol=1e-6)
    wanted = raw if name == "gradient" else resize(raw, SIZE, stride=2, offset=0.5)
    found = raw_maps(receptive, name)(batch)
    assert found.shape == (3, SIZE, SIZE) and torch.allclose(found, wanted, atol=1e-6)


def test_what_cannot_be_aligned_is_one_sentence():
    receptive = session("--resize_alignment=receptive_field")
    with pytest.raises(UserError, match="a grid of 3 x 3 cells"):
        aligned(receptive, "layercam")(torch.zeros(1, 3, 3))
    with pytest.raises(UserError, match="`resize_mode`=bicubic"):
        aligned(session("--resize_alignment=receptive_field", "--resize_mode=bicubic", script="eval_wsol"), "cam")


def test_gradient_maps_smaller_than_their_blur_are_refused_before_any_is_made():
    raw_maps(session(f"--smoothing_ksize={2 * SIZE - 1}"), "gradient")
    raw_maps(session(f"--smoothing_ksize={2 * SIZE + 1}"), "joint")
    with pytest.raises(UserError, match=f"`smoothing_ksize`={2 * SIZE + 1} must be odd"):
        raw_maps(session(f"--smoothing_ksize={2 * SIZE + 1}"), "gradient")
