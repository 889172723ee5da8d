import pytest
import torch

from calm.attribution import output_attribution
from calm.networks.outputs import CalmOutput, CamOutput

PAIRS = {0: [0, 3], 1: [1], 2: [0, 2], 3: [0, 3]}


@pytest.fixture
def class_maps() -> torch.Tensor:
    return torch.randn(2, 4, 5, 5, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("kind", [CamOutput, lambda g: CalmOutput(g, torch.full((2, 1, 5, 5), -3.2))])
def test_maps_equal_plain_loops(class_maps, kind):
    output, targets = kind(class_maps), torch.tensor([3, 1])
    for b, y in enumerate(targets.tolist()):
        scaled = [(g - g.min()) / (g.max() - g.min()) for g in class_maps[b]]
        slow = {"cam": class_maps[b, y], "cam-saliency": sum(scaled), "cam-subset": sum(scaled[k] for k in PAIRS[y])}
        for name, expected in slow.items():
            torch.testing.assert_close(output_attribution(name, supersets=PAIRS)(output, targets)[b], expected)


def test_a_constant_class_map_adds_nothing(class_maps):
    class_maps[:, 2] = 7.0
    output, targets = CamOutput(class_maps), torch.tensor([2, 2])
    assert torch.equal(output_attribution("cam-subset", supersets={2: [2]})(output, targets), torch.zeros(2, 5, 5))
    assert output_attribution("cam-saliency")(output, targets).isfinite().all()


def test_saliency_is_the_subset_of_all_classes(class_maps):
    output, targets = CamOutput(class_maps), torch.tensor([0, 1])
    everything = {y: [0, 1, 2, 3] for y in range(4)}
    torch.testing.assert_close(
        output_attribution("cam-saliency")(output, targets),
        output_attribution("cam-subset", supersets=everything)(output, targets),
    )
