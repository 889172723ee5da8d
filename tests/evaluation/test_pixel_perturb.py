"""Erasing pixels: orders, fills and the laws of remove-and-classify, against slow and obvious versions."""

import json

import cv2
import numpy as np
import pytest
import torch

from calm.attribution.latent import joint
from calm.attribution.score_map import resize
from calm.data_loaders.datasets import build_dataset
from calm.errors import UserError
from calm.evaluation.intervals import image_weights
from calm.evaluation.metrics import PerturbationRatio
from calm.evaluation.pixel_perturb.erasing import (
    ERASERS,
    PERCENTAGES,
    erase_first,
    fill_for,
    image_keys,
    num_erased,
    random_bits,
    rank_at_random,
    rank_by_score,
    remove_and_classify,
)
from calm.evaluation.pixel_perturb.measure import replicates_of
from calm.networks import build_network

SIZE = (20, 24)


def images_and_maps(batch: int = 5, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(batch, 3, *SIZE, generator=generator), torch.randn(batch, 4, 5, generator=generator)


def keys_of(batch: int = 5, seed: int = 0) -> torch.Tensor:
    return image_keys([f"folder/{number}.jpg" for number in range(batch)], seed=seed)


def test_number_of_pixels_is_rounded_down():
    assert [num_erased(k, 224, 224) for k in PERCENTAGES] == [5017, 15052, 25088, 35123, 45158]
    assert all(num_erased(k, side, side) == k * side**2 // 100 for k in PERCENTAGES for side in range(1, 600))
    assert num_erased(0, 224, 224) == 0
    assert num_erased(100, 224, 224) == 224 * 224


def test_score_order_is_descending_with_ties_by_pixel():
    _, maps = images_and_maps()
    maps = maps.mul(2).round()  # many ties
    ranks = rank_by_score(maps, SIZE)
    scores = resize(maps.double(), SIZE).float()
    for rank, score in zip(ranks, scores, strict=True):
        pixels = sorted(range(score.numel()), key=lambda i: (-score.view(-1)[i].item(), i))
        assert rank.view(-1)[pixels].tolist() == list(range(score.numel()))


def test_a_constant_map_and_one_with_nan_go_by_pixel():
    maps = torch.full((2, 4, 5), 3.0)
    maps[1, 2, 2] = float("nan")
    ranks = rank_by_score(maps, SIZE)
    assert torch.equal(ranks, torch.arange(ranks[0].numel(), dtype=torch.int32).view(1, *SIZE).expand(2, -1, -1))


def test_random_bits_follow_the_written_hash():
    def mix(x: int) -> int:
        x = ((x ^ (x >> 16)) * 0x85EBCA6B) % 2**32
        x = ((x ^ (x >> 13)) * 0xC2B2AE35) % 2**32
        return x ^ (x >> 16)

    keys = keys_of()[:, :2]
    slow = [[mix((mix(i ^ a) + b) % 2**32) for i in range(100)] for a, b in keys.tolist()]
    assert random_bits(keys, 100).tolist() == slow


def test_random_order_is_a_permutation_of_its_own_for_each_image_and_seed():
    ranks = rank_at_random(keys_of(), SIZE)
    assert ranks.flatten(1).sort(dim=1).values.tolist() == [list(range(SIZE[0] * SIZE[1]))] * 5
    assert len({tuple(rank.flatten().tolist()) for rank in ranks}) == 5
    assert torch.equal(ranks, rank_at_random(keys_of(), SIZE))
    assert not torch.equal(ranks, rank_at_random(keys_of(seed=1), SIZE))
    assert torch.equal(ranks[2:4], rank_at_random(keys_of()[2:4], SIZE))  # whatever else is in the batch


def test_random_order_is_uniform():
    ranks = rank_at_random(image_keys([str(number) for number in range(400)]), (16, 16)).double()
    mean, spread = ranks.mean(dim=0), ranks.std(dim=0)
    assert (mean - 127.5).abs().max() < 5 * 73.9 / 400**0.5  # a uniform rank has standard deviation 73.9
    assert (spread - 73.9).abs().max() < 12
    neighbours = torch.corrcoef(torch.stack([ranks[:, :, :-1].flatten(), ranks[:, :, 1:].flatten()]))[0, 1]
    assert neighbours.abs() < 0.02


def test_blur_equals_opencv():
    images = torch.randn(2, 3, 40, 56, generator=torch.Generator().manual_seed(1))
    ours = fill_for("blur", images, keys_of(2))
    for image, blurred in zip(images, ours, strict=True):
        channels = np.ascontiguousarray(image.permute(1, 2, 0).numpy())
        theirs = cv2.GaussianBlur(channels, (31, 31), 15, borderType=cv2.BORDER_REFLECT_101)
        np.testing.assert_allclose(blurred.permute(1, 2, 0).numpy(), theirs, atol=2e-6)


def test_blur_of_an_image_smaller_than_the_kernel():
    images = torch.randn(1, 3, 7, 1, generator=torch.Generator().manual_seed(1))
    blurred = fill_for("blur", images, keys_of(1))
    padded = np.pad(images[0, :, :, 0].numpy(), ((0, 0), (15, 15)), mode="reflect")
    weights = np.exp(-(np.arange(-15, 16) ** 2) / 450.0)
    slow = [[(padded[c, i : i + 31] * weights).sum() / weights.sum() for i in range(7)] for c in range(3)]
    np.testing.assert_allclose(blurred[0, :, :, 0].numpy(), slow, atol=1e-6)


def test_zero_mean_and_noise_fills():
    images, _ = images_and_maps()
    images[:, 1] += 3
    keys = keys_of()
    assert fill_for("zero", images, keys).count_nonzero() == 0
    means = fill_for("mean", images, keys)
    assert means[3, 1].item() == pytest.approx(images[3, 1].mean().item())
    noise = fill_for("noise", images, keys) - means
    assert noise.mean().abs() < 0.01
    assert noise.std().item() == pytest.approx(0.2, abs=0.01)
    assert (noise.flatten() / 0.2).abs().gt(1.96).float().mean().item() == pytest.approx(0.05, abs=0.01)
    assert torch.equal(fill_for("noise", images[1:3], keys[1:3]), fill_for("noise", images, keys)[1:3])


@pytest.mark.parametrize("erase", ERASERS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_erasing_changes_only_the_first_pixels(erase, dtype):
    images, maps = images_and_maps()
    images, keys = images.to(dtype), keys_of()
    fill, ranks = fill_for(erase, images, keys), rank_by_score(maps.to(dtype), SIZE)
    before = images.clone()
    count = num_erased(30, *SIZE)
    erased = erase_first(images, ranks, fill, count)
    inside = (ranks < count)[:, None].expand_as(images)
    assert erased.dtype == dtype
    assert inside.sum().item() == count * 3 * len(images)
    assert torch.equal(erased[~inside], images[~inside])
    assert torch.equal(erased[inside], fill.expand_as(images)[inside])
    assert torch.equal(images, before)


@pytest.mark.parametrize("erase", ERASERS)
def test_erasing_nothing_changes_nothing(erase):
    images, maps = images_and_maps()
    keys, seen = keys_of(), []

    def classify(erased: torch.Tensor) -> torch.Tensor:
        seen.append(erased)
        return torch.zeros(len(erased), dtype=torch.int64)

    remove_and_classify(classify, images, maps, keys, erase=erase, percentages=(0,))
    assert len(seen) == 2
    assert all(torch.equal(erased, images) for erased in seen)


def test_shares_are_nested_and_follow_the_orders():
    images, maps = images_and_maps()
    keys, masks = keys_of(), []

    def classify(erased: torch.Tensor) -> torch.Tensor:
        masks.append((erased != images).any(dim=1))
        return erased.flatten(1).count_nonzero(dim=1)

    result = remove_and_classify(classify, images, maps, keys, erase="zero")
    assert len(masks) == 2 * len(PERCENTAGES)
    for ranks, found in ((rank_by_score(maps, SIZE), masks[:5]), (rank_at_random(keys, SIZE), masks[5:])):
        for k, mask in zip(PERCENTAGES, found, strict=True):
            assert torch.equal(mask, ranks < int(k / 100 * 480))
    kept = [[3 * (480 - int(k / 100 * 480))] * 5 for k in PERCENTAGES]
    assert result.ranked.tolist() == kept
    assert result.random.tolist() == kept


def test_unknown_eraser_is_one_sentence():
    images, _ = images_and_maps()
    with pytest.raises(UserError, match="blur, zero, mean, noise"):
        fill_for("gray", images, keys_of())


def test_ratio_counts():
    generator = torch.Generator().manual_seed(0)
    targets = torch.randint(0, 3, (30,), generator=generator)
    clean = torch.randint(0, 3, (30,), generator=generator)
    ranked, random = torch.randint(0, 3, (2, 2, 30), generator=generator)
    random[1] = targets + 1  # never right
    serial = PerturbationRatio((10, 90))
    serial.update(targets, clean, ranked, random)
    values, counts = serial.compute(), serial.counts()
    assert counts["num_images"] == 30
    assert counts["correct"]["10"] == sum(int(a == b) for a, b in zip(ranked[0], targets, strict=True))
    assert values["accuracy"] == pytest.approx(100 * (clean == targets).double().mean().item())
    assert values["A_10"] == pytest.approx(100 * counts["correct"]["10"] / 30)
    assert values["Ar_90"] == 0
    assert values["R_10"] == pytest.approx(counts["correct"]["10"] / counts["correct_random"]["10"])
    assert np.isnan(values["R_90"])


def test_equals_the_expected_flags(expected, fake_cub):
    """Four of the 56 pictures, two shares; margins are thin, so one answer may differ."""
    import formulas

    case = json.loads((expected / "remove_classify.json").read_text())["calm_em_jointll_zero"]
    chosen, shares = slice(3, 7), 2
    network = build_network("resnet50", "CALM_EM", 200, prior_activation="relu", detach_prior_sum=True).eval()
    network.load_state_dict(formulas.fill(network.state_dict(), "smooth"))
    ids, targets = list(case["labels"])[chosen], torch.tensor(list(case["labels"].values()))[chosen]
    folders = {"data_root": fake_cub, "metadata_root": fake_cub / "metadata"}
    dataset = build_dataset("CUB", "test", mean=network.mean, std=network.std, **folders)
    index = {record.image_id: number for number, record in enumerate(dataset.records)}
    images = torch.stack([dataset[index[image_id]][0] for image_id in ids])
    with torch.inference_mode():
        output = network(images)
        assert torch.equal(output.log_p_y.argmax(dim=1), targets)
        result = remove_and_classify(
            lambda erased: network(erased).log_p_y.argmax(dim=1),
            images,
            joint(output, targets),
            image_keys(ids),
            erase="zero",
            percentages=[100 * k for k in case["k"][:shares]],
        )
    flags = [row[chosen] for row in case["topk_flags"][:shares]]
    assert ((result.ranked == targets).int() - torch.tensor(flags)).abs().sum() <= 1


def test_replicates_are_ratios_of_the_images_that_were_drawn():
    right = np.random.default_rng(0).random((9, 2, 5)) < 0.6
    weights = image_weights(9)
    replicates = replicates_of(right)
    for number in (0, 17, 999):
        drawn = np.repeat(np.arange(9), weights[number])
        ranked, random = right[drawn, 0, 1].sum(), right[drawn, 1, 1].sum()
        assert replicates["R_30"][number] == pytest.approx(ranked / random)
    right[:, 1, 4] = False
    assert np.isnan(replicates_of(right)["R_90"]).all()
