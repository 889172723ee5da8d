import math

import pytest
import torch
import torch.nn.functional as F

from calm.networks.methods.cam import cam_loss
from calm.networks.methods.cutmix import cut_box, draw_centre, kept_share, mixed_loss, paste
from calm.networks.outputs import CamOutput


@pytest.mark.parametrize("lam", [0.0, 0.3, 0.9, 1.0])
@pytest.mark.parametrize("centre", [(0, 0), (3, 10), (6, 12), (2, 5)])
def test_mixed_images_pixel_by_pixel(lam, centre):
    height, width = 7, 13
    images = torch.randn(3, 2, height, width, generator=torch.Generator().manual_seed(0))
    order = torch.tensor([2, 0, 1])
    box = cut_box(lam, centre, height, width)
    before = images.clone()
    mixed = paste(images, order, box)
    assert torch.equal(images, before)
    tall, wide = int(height * math.sqrt(1 - lam)) // 2, int(width * math.sqrt(1 - lam)) // 2
    pasted = 0
    for y in range(height):
        for x in range(width):
            inside = centre[0] - tall <= y < centre[0] + tall and centre[1] - wide <= x < centre[1] + wide
            pasted += inside
            assert torch.equal(mixed[:, :, y, x], images[order if inside else [0, 1, 2]][:, :, y, x])
    assert box.area == pasted
    assert kept_share(box, height, width) == pytest.approx(1 - pasted / (height * width))


def test_mixed_loss_is_the_cross_entropy_of_mixed_labels():
    maps = torch.randn(4, 5, 2, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    targets, order = torch.tensor([0, 4, 2, 2]), torch.tensor([3, 2, 0, 1])
    loss = mixed_loss(cam_loss, CamOutput(maps), targets, order, 0.7)
    soft = 0.7 * F.one_hot(targets, 5) + 0.3 * F.one_hot(targets[order], 5)
    expected = -(soft * maps.mean(dim=(2, 3)).log_softmax(dim=1)).sum(dim=1).mean()
    torch.testing.assert_close(loss, expected)


def test_centres_cover_the_image():
    torch.manual_seed(0)
    centres = [draw_centre(3, 5) for _ in range(300)]
    assert {y for y, _ in centres} == set(range(3))
    assert {x for _, x in centres} == set(range(5))
