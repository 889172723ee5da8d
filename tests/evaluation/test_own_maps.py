"""Maps that any tool wrote are scored as a network's are; evaluations of some images only."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from calm import config, errors, eval_attribution, eval_cue_location, eval_pixel_perturb, eval_wsol
from calm.attribution import build_attribution
from calm.attribution.score_map import resize
from calm.data_loaders.datasets import build_dataset
from calm.data_loaders.score_maps import read_score_map
from calm.data_loaders.synthbirds import generate as synthbirds
from calm.errors import UserError
from calm.evaluation.file_maps import score_map_at
from calm.evaluation.session import start_session
from calm.networks import build_network, load_network

CLASSES, SIZE, PER_CLASS = 3, 48, 2


@pytest.fixture(scope="module")
def birds(tiny_trunk, tmp_path_factory) -> Path:
    """SynthBirds, small, an untrained network in run/, and its joint in maps/ (large) and cells/ (its own grid)."""
    folder = tmp_path_factory.mktemp("maps")
    roots, counts = (folder / "dataset", folder / "metadata"), dict.fromkeys(("train_per_class", "val_per_class"), 1)
    synthbirds.generate(*roots, num_classes=CLASSES, image_size=SIZE, seed=0, test_per_class=PER_CLASS, **counts)
    torch.manual_seed(0)
    network = build_network("tiny", "CALM_EM", CLASSES, large_feature_map=True).eval()
    content = {"architecture": "tiny", "epoch": 1, "state_dict": network.state_dict()}
    stated = {"attribution_method": "CALM_EM", "dataset_name": "SynthBirds", "crop_size": SIZE}
    places = {"data_root": str(roots[0]), "metadata_root": str(roots[1]), "large_feature_map": True}
    (folder / "run").mkdir()
    torch.save({**content, "config": stated | places}, folder / "run" / "last_checkpoint.pth.tar")
    images = build_dataset("SynthBirds", "test", data_root=roots[0], metadata_root=roots[1], crop_size=SIZE)
    for index, record in enumerate(images.records):
        image, target, _ = images[index]
        for c in range(CLASSES):
            cells = build_attribution("joint")(network, image[None], torch.tensor([c])).double()
            values = resize(cells, SIZE)[0].numpy()
            save(folder / "maps" / str(c + 1) / record.image_id, values, ".npy")
            if c == target:
                save(folder / "maps" / record.image_id, values, ".npz")
                save(folder / "cells" / record.image_id, cells[0].float().numpy(), ".npy")
    return folder


def save(path: Path, values: np.ndarray, suffix: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write = np.save if suffix == ".npy" else np.savez
    write(path.with_name(path.name + suffix), values)


def flags(birds: Path, *more: str) -> list[str]:
    return [f"--load_checkpoint={birds / 'run'}", "--batch_size=4", "--workers=0", *more]


def results(birds: Path, name: str) -> dict:
    return json.loads((birds / "run" / "results" / f"{name}.json").read_text())


@pytest.mark.usefixtures("undrawn")
def test_cues_of_class_folders_equal_the_network_and_need_none(birds):
    eval_cue_location.main(flags(birds, "--tag=own"))
    eval_cue_location.main(flags(birds, "--tag=files", f"--scoremap_root={birds / 'maps'}"))
    roots = [f"--{name}={birds / folder}" for name, folder in (("data_root", "dataset"), ("metadata_root", "metadata"))]
    alone = ["--dataset=SynthBirds", f"--crop_size={SIZE}", f"--save_root={birds}", "--experiment_name=run", *roots]
    eval_cue_location.main([*alone, "--tag=alone", "--workers=0", f"--scoremap_root={birds / 'maps'}"])
    own, files, alone = (results(birds, f"cue_location_{tag}") for tag in ("own", "files", "alone"))
    assert own["metrics"] == pytest.approx(files["metrics"], abs=1e-2) and own["metrics"]["mPxAP"] > 0
    assert alone["metrics"] == files["metrics"] and alone["checkpoint"] is None
    assert files["details"]["attribution"] == f"maps of {birds / 'maps'}"
    assert own["baselines"]["constant"]["mPxAP"] == pytest.approx(own["metrics"]["prevalence"])
    assert own["baselines"]["centred_gaussian"]["sigma"] == SIZE / 4
    assert set(own["baselines"]) - set(alone["baselines"]) == {"untrained_heads"}


@pytest.mark.usefixtures("undrawn")
def test_untrained_heads_are_drawn_anew_and_measured_beside(birds, capsys):
    network, _ = load_network(birds / "run")
    torch.manual_seed(0)
    for layer in (network.conv_last, network.attention[0]):
        torch.nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
        torch.nn.init.zeros_(layer.bias)
    content = torch.load(birds / "run" / "last_checkpoint.pth.tar", weights_only=True)
    (birds / "fresh").mkdir()
    torch.save({**content, "state_dict": network.state_dict()}, birds / "fresh" / "last_checkpoint.pth.tar")
    for evaluate, name, more in (
        (eval_cue_location, "cue_location", []),
        (eval_wsol, "wsol", []),
        (eval_attribution, "attribution", ["--attributions=joint,gradient", "--auc_steps=1"]),
    ):
        evaluate.main(flags(birds, "--tag=beside", *more))
        assert "untrained heads" in capsys.readouterr().out
        beside = results(birds, f"{name}_beside")["baselines"]
        evaluate.main([f"--load_checkpoint={birds / 'fresh'}", "--workers=0", *more])
        metrics = json.loads((birds / "fresh" / "results" / f"{name}.json").read_text())["metrics"]
        wanted = metrics["joint"] if name == "attribution" else metrics
        found = beside["untrained_heads/joint" if name == "attribution" else "untrained_heads"]
        assert found and found == pytest.approx({key: wanted[key] for key in found}, abs=1e-4)
    assert "untrained_heads/gradient" not in beside


@pytest.mark.usefixtures("undrawn")
def test_erasing_by_files_equals_the_network(birds, capsys):
    eval_pixel_perturb.main(flags(birds, "--tag=own"))
    eval_pixel_perturb.main(flags(birds, "--tag=files", f"--scoremap_root={birds / 'maps'}"))
    own, files = (results(birds, f"pixel_perturb_{tag}") for tag in ("own", "files"))
    assert own["metrics"] == files["metrics"] and own["details"]["correct"] == files["details"]["correct"]
    assert "1 is what erasing at random gets" in capsys.readouterr().out
    assert errors.run(lambda: eval_pixel_perturb.main([f"--scoremap_root={birds / 'maps'}"])) == 2


def test_attributions_are_compared_with_files(birds):
    eval_attribution.main(flags(birds, "--attributions=joint", f"--scoremap_root={birds / 'maps'}", "--auc_steps=2"))
    found = results(birds, "attribution")
    own, files = found["metrics"].values()
    assert list(found["metrics"]) == ["joint", f"maps of {birds / 'maps'}"]
    assert own == pytest.approx(files, abs=1e-4) and set(found["baselines"]) >= {"constant", "centred_gaussian"}
    assert errors.run(lambda: eval_attribution.main([f"--scoremap_root={birds / 'maps'}"])) == 2


@pytest.mark.usefixtures("undrawn")
def test_maps_of_another_size_are_resized_with_one_notice(birds, capsys):
    eval_wsol.main(flags(birds, "--tag=maps", f"--scoremap_root={birds / 'maps'}"))
    assert "are resized" not in capsys.readouterr().out
    eval_wsol.main(flags(birds, "--tag=cells", f"--scoremap_root={birds / 'cells'}"))
    assert capsys.readouterr().out.count("has shape (6, 6): maps are resized to 48 x 48") == 1
    maps, cells = (results(birds, f"wsol_{tag}")["metrics"] for tag in ("maps", "cells"))
    assert maps == pytest.approx(cells, abs=1e-2)


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(
    ("evaluate", "idle", "used"),
    [
        (eval_wsol, {"norm_type": "max", "resize_mode": "bicubic", "score_map_process": "saliency"}, {}),
        (eval_pixel_perturb, {"smoothing_ksize": 3}, {}),
        (eval_cue_location, {"resize_alignment": "receptive_field"}, {"norm_type": "max", "cue_score": "released"}),
    ],
)
def test_flags_of_a_networks_maps_are_said_to_do_nothing_to_files(birds, capsys, evaluate, idle, used):
    words = [f"--{name}={value}" for name, value in (idle | used).items()]
    evaluate.main(flags(birds, f"--scoremap_root={birds / 'maps'}", "--tag=idle", *words))
    said = [line.split()[1].split("=")[0] for line in capsys.readouterr().out.splitlines() if "has no effect" in line]
    assert sorted(said) == sorted(f"--{name}" for name in idle)


@pytest.mark.usefixtures("undrawn")
def test_flags_that_a_networks_map_does_not_read_are_said_once(birds, capsys):
    eval_wsol.main(flags(birds, "--tag=idle", "--layers=second", "--threshold_type=log", "--norm_type=max"))
    said = [
        line.split()[1] for line in capsys.readouterr().out.splitlines() if "has no effect on wsol with joint" in line
    ]
    assert said == ["--layers=second", "--threshold_type=log"]


def test_a_file_holds_one_map(tmp_path):
    np.savez(tmp_path / "two.npz", np.zeros((2, 2)), np.zeros((2, 2)))
    with pytest.raises(UserError, match=r"two\.npz holds 2 arrays"):
        read_score_map(tmp_path / "two.npz")
    np.save(tmp_path / "row.npy", np.zeros(4))
    with pytest.raises(UserError, match="two-dimensional"):
        read_score_map(tmp_path / "row.npy")
    marks = np.eye(3, dtype=bool)
    np.save(tmp_path / "marks.npy", marks)
    wanted = resize(torch.from_numpy(marks).float()[None], 7)[0].numpy()
    assert np.array_equal(score_map_at(tmp_path / "marks.npy", 7), wanted)


@pytest.mark.usefixtures("undrawn")
def test_max_images_are_drawn_by_the_seed(birds):
    def chosen(*more: str) -> list[str]:
        args = config.parse(flags(birds, *more), "eval_wsol")
        dataset = start_session(args, "wsol").dataset
        assert all(dataset[index][1] == record.target for index, record in enumerate(dataset.records))
        return [record.image_id for record in dataset.records]

    every = chosen()
    order = torch.randperm(len(every), generator=torch.Generator().manual_seed(3)).tolist()
    assert chosen("--max_images=4", "--seed=3") == [every[index] for index in sorted(order[:4])]
    assert chosen("--max_images=99") == every and chosen("--max_images=2") == chosen("--max_images=2")
    eval_wsol.main(flags(birds, "--tag=some", "--max_images=4", "--seed=3"))
    assert results(birds, "wsol_some")["details"]["num_images"] == 4
