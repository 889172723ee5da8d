"""Confidence under masking, deletion and insertion, with a 'network' that counts what it sees."""

import pytest
import torch

from calm.evaluation.attribution.faithfulness import CURVES, Ends, curves
from calm.evaluation.attribution.measures import Case, measured
from calm.evaluation.pixel_perturb.erasing import blur, rank_by_score

SIZE = (12, 10)


def example() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    images = torch.ones(2, 3, *SIZE)
    return images, torch.rand(2, *SIZE, generator=generator)


def visible(images: torch.Tensor) -> torch.Tensor:
    """The share of the image that is there."""
    return images.mean(dim=(1, 2, 3))


def ends_of(probability, images: torch.Tensor) -> Ends:
    blurred = blur(images)
    return Ends(blurred, *(probability(shown) for shown in (images, blurred, torch.zeros_like(images))))


def test_deletion_falls_from_the_whole_image_to_nothing():
    images, maps = example()
    curve = curves(["deletion"], visible, images, rank_by_score(maps, SIZE), ends_of(visible, images), 10)["deletion"]
    assert curve.shape == (11, 2)
    assert torch.allclose(curve, torch.linspace(1, 0, 11)[:, None].expand(-1, 2), atol=1e-6)


def test_insertion_ends_with_the_whole_image_and_starts_with_the_blurred_one():
    images, maps = example()
    images = images * torch.rand(1, 1, *SIZE, generator=torch.Generator().manual_seed(1))
    seen = []

    def probability(shown: torch.Tensor) -> torch.Tensor:
        seen.append(shown)
        return visible(shown)

    ends, ranks = ends_of(visible, images), rank_by_score(maps, SIZE)
    curve = curves(["insertion"], probability, images, ranks, ends, 4)["insertion"]
    assert len(seen) == 3
    assert torch.equal(curve[0], visible(blur(images)))
    assert torch.equal(curve[-1], visible(images))
    shown = (seen[1] == images).all(dim=1).sum(dim=(1, 2))
    assert shown.tolist() == [60, 60]


def test_steps_of_both_curves_that_go_together_give_the_same_curves():
    images, maps = example()
    images = images * torch.rand(1, 1, *SIZE, generator=torch.Generator().manual_seed(1))
    passes = []

    def probability(shown: torch.Tensor) -> torch.Tensor:
        passes.append(len(shown))
        return visible(shown)

    ends, ranks = ends_of(visible, images), rank_by_score(maps, SIZE)
    joined = curves([*CURVES], probability, images, ranks, ends, 6, copies=4)
    assert passes == [8, 8, 4]
    for name, curve in joined.items():
        assert torch.equal(curve, curves([name], probability, images, ranks, ends, 6)[name])
    assert len(joined) == 2 and passes[3:] == [2] * 10


def test_a_network_that_looks_at_the_marked_pixels_is_explained():
    images, _ = example()
    cue = torch.zeros(2, *SIZE)
    cue[:, 2:5, 3:6] = 1

    def at_the_cue(shown: torch.Tensor) -> torch.Tensor:
        return (shown.mean(dim=1) * cue).sum(dim=(1, 2)) / cue.sum(dim=(1, 2))

    ends = ends_of(at_the_cue, images)
    right = measured(Case(at_the_cue, images, cue, cue > 0, ends, 10))
    wrong = measured(Case(at_the_cue, images, 1 - cue, cue > 0, ends, 10))
    assert right["average_drop"].tolist() == [0, 0]
    assert wrong["average_drop"].tolist() == [1, 1]
    assert right["increase"].tolist() == [0, 0]
    assert right["deletion"][0] == pytest.approx(0.05, abs=1e-6)  # 1 at first, nothing from 10 % on
    assert wrong["deletion"][0] > 0.9
    assert all(not value.requires_grad for value in right.values())
