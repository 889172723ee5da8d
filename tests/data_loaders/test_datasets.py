import multiprocessing
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DistributedSampler

from calm.data_loaders.catalogue import dataset_named
from calm.data_loaders.datasets import build_dataset, build_loader
from calm.data_loaders.metadata import write_records
from calm.data_loaders.record import Record
from calm.data_loaders.transforms import crop_and_flip
from calm.errors import UserError
from tests.tiny_data import picture, save, tiny_cub, write

SIZES = {"resize_size": 20, "crop_size": 16}


def build(folder, name="CUB", split="train", **options):
    roots = {"data_root": folder / "dataset", "metadata_root": folder / "metadata"}
    return build_dataset(name, split, **roots, **(SIZES | options))


@pytest.fixture(scope="module")
def cub(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("cub")
    tiny_cub(folder)
    return folder


def test_items_equal_the_slow_way(cub):
    mean, std = np.array([0.4, 0.5, 0.6]), np.array([0.2, 0.3, 0.4])
    trained = build(cub, augment=True, seed=5, mean=mean.tolist(), std=std.tolist())
    tested = build(cub, mean=mean.tolist(), std=std.tolist())
    for index, record in enumerate(trained.records):
        image = Image.open(cub / "dataset/CUB/images" / record.image_id)
        small = (np.asarray(image.resize((16, 16), Image.Resampling.BILINEAR)) / 255 - mean) / std
        left, top, flip = crop_and_flip(4, seed=5, epoch=2, index=index)
        crop = np.asarray(image.resize((20, 20), Image.Resampling.BILINEAR))[top : top + 16, left : left + 16]
        crop = ((crop[:, ::-1] if flip else crop) / 255 - mean) / std
        for (pixels, target, number), wanted in ((tested[index], small), (trained[2, index], crop)):
            assert np.allclose(pixels.numpy(), wanted.transpose(2, 0, 1), atol=1e-5)
            assert (target, number) == (record.target, index)


def epoch_of(dataset, batch_size, **options):
    """All batches of one process, on the CPU."""
    return list(build_loader(dataset, batch_size, **options))


@pytest.mark.parametrize("shuffle", [True, False])
def test_workers_do_not_change_anything(cub, shuffle):
    dataset = build(cub, augment=shuffle, seed=1)
    alone, one, two = (epoch_of(dataset, 4, shuffle=shuffle, seed=1, epoch=3, workers=n) for n in (0, 1, 2))
    assert [len(batch[2]) for batch in alone] == [4, 4, 1]
    for others in (one, two):
        assert all(torch.equal(a, b) for x, y in zip(alone, others, strict=True) for a, b in zip(x, y))


def test_two_processes_see_the_global_batches_of_one(cub):
    dataset = build(cub, augment=True, seed=1)
    dataset.records = dataset.records[:8]
    alone = epoch_of(dataset, 4, shuffle=True, seed=1, epoch=2)
    shares = [epoch_of(dataset, 2, shuffle=True, seed=1, epoch=2, rank=r, world_size=2) for r in (0, 1)]
    for whole, *halves in zip(alone, *shares, strict=True):
        merged = {i.item(): image for images, _, indices in halves for image, i in zip(images, indices)}
        assert merged.keys() == set(whole[2].tolist())
        assert all(torch.equal(image, merged[i.item()]) for image, i in zip(whole[0], whole[2]))


def test_the_training_order_is_torchs_distributed_sampler(cub):
    dataset = build(cub, augment=True)
    sampler = DistributedSampler(dataset, num_replicas=2, rank=1, seed=4)
    loader = build_loader(dataset, 3, shuffle=True, seed=4, rank=1, world_size=2)
    for epoch in (0, 5):
        sampler.set_epoch(epoch)
        loader.sampler.set_epoch(epoch)
        assert torch.cat([indices for _, _, indices in loader]).tolist() == list(sampler)
        assert len(loader) == 2
    first = epoch_of(dataset, 9, shuffle=True, seed=4, epoch=1)[0][2]
    assert not torch.equal(first, epoch_of(dataset, 9, shuffle=True, seed=4, epoch=2)[0][2])
    assert not torch.equal(first, epoch_of(dataset, 9, shuffle=True, seed=5, epoch=1)[0][2])


@pytest.mark.parametrize("workers", [0, 1])
def test_a_loader_serves_every_epoch_as_one_made_for_it(cub, workers):
    dataset = build(cub, augment=True, seed=1)
    loader = build_loader(dataset, 4, shuffle=True, seed=1, workers=workers)
    for epoch in (1, 2, 5):
        loader.sampler.set_epoch(epoch)
        again = epoch_of(dataset, 4, shuffle=True, seed=1, epoch=epoch)
        assert all(torch.equal(a, b) for x, y in zip(loader, again, strict=True) for a, b in zip(x, y))


@pytest.mark.parametrize("world_size", [1, 2, 4, 20])
def test_evaluation_counts_each_image_once(cub, world_size):
    dataset = build(cub)
    shares = [epoch_of(dataset, 2, rank=rank, world_size=world_size) for rank in range(world_size)]
    indices = [torch.cat([batch[2] for batch in share]).tolist() if share else [] for share in shares]
    assert indices == [list(range(9))[rank::world_size] for rank in range(world_size)]


def test_loading_leaves_the_global_random_state_alone(cub):
    before = torch.get_rng_state()
    epoch_of(build(cub, augment=True), 4, shuffle=True, workers=1)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("damage", ["missing", "truncated"])
def test_a_bad_image_is_one_sentence_also_from_a_worker(tmp_path, workers, damage):
    tiny_cub(tmp_path)
    dataset = build(tmp_path)
    path = dataset.image_path(6)
    content = path.read_bytes()
    path.unlink()
    if damage == "truncated":
        path.write_bytes(content[:300])
    reason = "does not exist" if damage == "missing" else "cannot be read as an image"
    with pytest.raises(UserError, match=rf"^\S*train/image_ids.txt, line 7: \S*picture_6.jpg {reason}") as caught:
        epoch_of(dataset, 2, workers=workers)
    assert "\n" not in str(caught.value) and "Traceback" not in str(caught.value)
    assert multiprocessing.active_children() == []


def test_a_wrong_folder_is_named_before_training(cub, tmp_path):
    roots = {"metadata_root": cub / "metadata", "data_root": tmp_path}
    message = r"image_ids.txt, line 1: .*picture_0.jpg is not in .*images or .*CUB; check `data_root`"
    with pytest.raises(UserError, match=message):
        build_dataset("CUB", "train", **roots)
    assert len(build_dataset("CUB", "train", need_images=False, **roots)) == 9


def test_missing_metadata_name_the_command_that_makes_them(tmp_path):
    write(tmp_path / "dataset/SynthBirds/classes.txt", "1 001.A\n")
    for name, command in (("CUB", "prepare CUB"), ("ImageNet", "prepare ILSVRC"), ("SynthBirds", "synthbirds")):
        with pytest.raises(UserError, match=rf"image_ids.txt does not exist.* run python -m calm {command}$"):
            build(tmp_path, name)


def test_wrong_names_list_the_right_ones(cub):
    with pytest.raises(UserError, match="no data set Birds; these are known: CUB, ILSVRC"):
        build(cub, "Birds")
    with pytest.raises(UserError, match="no split dev; these are known: train, val, test"):
        build(cub, split="dev")
    with pytest.raises(UserError, match="`crop_size`=16 is larger than `resize_size`=8"):
        build(cub, augment=True, resize_size=8)


def test_labels_are_checked_against_the_data_sets_classes(tmp_path):
    write_records(tmp_path / "metadata", "CUB", "train", [Record("x.jpg", 200)])
    with pytest.raises(UserError, match=r"class_labels.txt, line 1: label 200 is outside the classes, 0 to 199"):
        build(tmp_path)
    assert build(tmp_path, class_names=["a bird"] * 201, need_images=False).records[0].target == 200


@pytest.mark.parametrize(
    ("name", "split", "image_id", "place"),
    [
        ("CUB", "train", "001.A/x.jpg", "CUB/images/001.A/x.jpg"),
        ("CUB", "val", "001.A/x.jpg", "CUBV2/001.A/x.jpg"),
        ("ILSVRC", "train", "train/n01440764/x.JPEG", "ILSVRC/train/n01440764/x.JPEG"),
        ("ImageNet", "test", "val/ILSVRC2012_val_00000001.JPEG", "ILSVRC/val/ILSVRC2012_val_00000001.JPEG"),
        ("ILSVRC", "val", "val2/0/x.jpeg", "ILSVRC/val2/0/x.jpeg"),
        ("ILSVRC", "val", "val2/0/x.jpeg", "ImageNetV2/val2/0/x.jpeg"),
        ("OpenImages", "test", "test/0bt9lr/x.jpg", "OpenImages/test/0bt9lr/x.jpg"),
        ("TinyImageNet", "val", "train/n1/images/n1_450.JPEG", "tiny-imagenet-200/train/n1/images/n1_450.JPEG"),
        ("SynthBirds", "train", "001.A/x.jpg", "SynthBirds/images/001.A/x.jpg"),
        ("SynthBirds", "val", "001.A/x.jpg", "SynthBirds/val/001.A/x.jpg"),
    ],
)
def test_each_data_set_is_found_in_its_place(tmp_path, name, split, image_id, place):
    path = save(picture(0, 12, 9), tmp_path / "dataset" / place, format="JPEG")
    write(tmp_path / "dataset/tiny-imagenet-200/wnids.txt", "n1\n")
    write(tmp_path / "dataset/SynthBirds/classes.txt", "1 001.A\n")
    write_records(tmp_path / "metadata", dataset_named(name).name, split, [Record(image_id, 0)])
    dataset = build(tmp_path, name, split)
    assert dataset.image_path(0) == path
    assert dataset.original_size(0) == (12, 9)
    assert dataset[0][0].shape == (3, 16, 16)


def test_the_proxy_list_is_named_in_errors(cub):
    write(cub / "metadata/CUB/train/image_ids_proxy.txt", "002.Bird/picture_1.jpg\n")
    dataset = build(cub, proxy=True)
    assert len(dataset) == 1 and dataset.listed(0).endswith("image_ids_proxy.txt, line 1")
