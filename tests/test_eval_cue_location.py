"""eval_cue_location.py as a user starts it: the expected figures, SynthBirds, two processes, refusals."""

import json
from pathlib import Path

import pytest
import torch

from calm import errors, eval_cue_location
from calm.data_loaders.synthbirds import generate as synthbirds
from calm.networks import build_network
from tests.processes import in_two_processes


def save_checkpoint(folder: Path, network: torch.nn.Module, architecture: str) -> None:
    """A checkpoint as published ones are: no configuration beside the weights."""
    folder.mkdir(parents=True)
    content = {"architecture": architecture, "epoch": 1, "state_dict": network.state_dict(), "optimizer": {}}
    torch.save(content, folder / "last_checkpoint.pth.tar")


def evaluate(*flags: str) -> int:
    return errors.run(lambda: eval_cue_location.main(flags))


def results(folder: Path, tag: str = "") -> dict:
    return json.loads((folder / "results" / f"cue_location{tag}.json").read_text())


@pytest.fixture(scope="module")
def formula_weights(expected, tmp_path_factory) -> Path:
    """Run folder of a resnet50 with weights by formula, which the expected figures come from."""
    import formulas

    network = build_network("resnet50", "CALM_EM", 200, large_feature_map=True)
    network.load_state_dict(formulas.fill(network.state_dict()))
    folder = tmp_path_factory.mktemp("save") / "formula"
    save_checkpoint(folder, network, "resnet50")
    return folder


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(
    ("case", "pairs"), [("calm_jointll_clipping_log", [0, 1]), ("cam_vanilla_minmax_even", [0])]
)  # two of the twelve pairs: sixteen images
def test_equals_the_expected_figures(case, pairs, fake_cub, formula_weights, expected):
    content = json.loads((expected / "cue.json").read_text())[case]
    chosen = [content["pairs"][number] for number in pairs]
    code = evaluate(
        *content["args"],
        f"--load_checkpoint={formula_weights}",
        f"--data_root={fake_cub}",
        "--dataset=CUB",
        f"--metadata_root={fake_cub / 'metadata'}",
        f"--tag={case}",
        "--protocol=released",
        "--workers=0",
        "--class_pairs=" + ",".join("{}-{}".format(*pair["pair"]) for pair in chosen),
    )
    assert code == 0
    found = results(formula_weights, f"_{case}")
    assert found["protocol"] == "released" and found["metrics"]["num_pairs_1"] == len(chosen)
    for ours, theirs in zip(found["details"]["pairs"], chosen, strict=True):
        assert [ours["class_a"], ours["class_b"]] == theirs["pair"]
        assert ours["PxAP"] == pytest.approx(theirs["pxap_cumulative_as_released"], abs=1e-3)
        areas = [(image["image_id"], image["mask_pixels"]) for image in ours["images"]]
        assert areas == [(image["id"], image["mask_sum"]) for image in theirs["images"]]
        assert ours["num_images"] == sum(area is not None for _, area in areas)


@pytest.fixture(scope="module")
def birds(tiny_trunk, tmp_path_factory) -> Path:
    """SynthBirds, small, and an untrained network for it in save/run."""
    folder = tmp_path_factory.mktemp("birds")
    synthbirds.generate(
        folder / "dataset",
        folder / "metadata",
        num_classes=4,
        image_size=48,
        seed=0,
        train_per_class=1,
        val_per_class=1,
        test_per_class=5,
    )
    torch.manual_seed(0)
    save_checkpoint(folder / "save" / "run", build_network("tiny", "CALM_EM", 4, large_feature_map=True), "tiny")
    return folder


def bird_flags(birds: Path) -> list[str]:
    return [
        f"--load_checkpoint={birds / 'save' / 'run'}",
        "--dataset_name=SynthBirds",
        f"--data_root={birds / 'dataset'}",
        f"--metadata_root={birds / 'metadata'}",
        "--attribution_method=CALM_EM",
        "--large_feature_map=True",
        "--crop_size=48",
        "--batch_size=4",
        "--workers=0",
    ]


def test_synthbirds_with_either_masks_and_pictures(birds, capsys):
    assert evaluate(*bird_flags(birds), "--threshold_type=log") == 0
    output = capsys.readouterr().out
    assert "--threshold_type=log has no effect" in output and "differing parts" in output
    found = results(birds / "save" / "run")
    assert set(found["metrics"]) >= {"mPxAP", *(f"mPxAP_{n}" for n in (1, 2, 3)), "num_pairs_1", "num_pairs_skipped"}
    assert found["protocol"] == "paper" and sum(found["metrics"][f"num_pairs_{n}"] for n in (1, 2, 3)) == 6
    low, high = found["intervals"]["mPxAP"]
    assert 0 < low < found["metrics"]["mPxAP"] < high < 100 and len(found["details"]["replicates"]["mPxAP"]) == 1000
    for name in ("curves.png", "samples.png"):
        assert (birds / "save/run/results/cue_location" / name).stat().st_size > 10_000
    assert evaluate(*bird_flags(birds), "--cue_masks=exact", "--tag=exact", "--score_map_process=gradient") == 0
    exact = results(birds / "save" / "run", "_exact")
    assert exact["details"]["attribution"] == "gradient" and exact["metrics"]["mPxAP"] != found["metrics"]["mPxAP"]


PROTOCOLS = ("paper", "released")


@pytest.mark.usefixtures("undrawn")
def test_two_processes_equal_one(birds):
    def both(words):
        for protocol in PROTOCOLS:
            eval_cue_location.main([*words, f"--protocol={protocol}", f"--tag=two_{protocol}"])

    in_two_processes(both, bird_flags(birds))
    for protocol in PROTOCOLS:
        assert evaluate(*bird_flags(birds), f"--protocol={protocol}", f"--tag=one_{protocol}") == 0
        one, two = (results(birds / "save" / "run", f"_{count}_{protocol}") for count in ("one", "two"))
        for ours, theirs in zip(one["details"]["pairs"], two["details"]["pairs"], strict=True):
            assert ours["PxAP"] == pytest.approx(theirs["PxAP"], abs=1e-3) and ours["images"] == theirs["images"]
            assert ours.get("PxAP_interval") == pytest.approx(theirs.get("PxAP_interval"), abs=1e-2)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--dataset_name=TinyImageNet"], "cue localisation takes CUB or SynthBirds"),
        (["--class_pairs=1-9"], "two classes from 1 to 4"),
        (["--class_pairs="], "two classes from 1 to 4"),
        (["--score_map_process=joint", "--versus=pair"], "joint compares a class with no other one"),
        (["--score_map_process=joit"], "joint"),
    ],
)
def test_refusals_are_one_sentence(birds, capsys, flags, words):
    assert evaluate(*bird_flags(birds), *flags) == 2
    message = capsys.readouterr().err
    assert words in message and message.count("\n") == 1


def test_a_counterfactual_scores_as_the_joint_does(birds):
    tags = {"joint": "j", "counterfactual": "c"}
    for name, tag in tags.items():
        assert evaluate(*bird_flags(birds), f"--score_map_process={name}", f"--tag={tag}") == 0
    found = [results(birds / "save" / "run", f"_{tag}")["metrics"]["mPxAP"] for tag in tags.values()]
    assert found[0] == pytest.approx(found[1], abs=1e-3)


@pytest.mark.usefixtures("undrawn")
def test_validation_images_are_evaluated_where_they_have_keypoints(birds, tmp_path, capsys):
    assert evaluate(*bird_flags(birds), "--split=val") == 2
    assert "so that it has no keypoints" in capsys.readouterr().err
    assert evaluate(*bird_flags(birds), "--split=val", "--cue_masks=exact") == 2
    assert "_val_0001.png is missing: pictures of val have none" in capsys.readouterr().err
    for kind, test in (("dataset", "images"), ("metadata", "test")):  # its validation images are the test ones
        (tmp_path / kind / "SynthBirds").mkdir(parents=True)
        for path in (birds / kind / "SynthBirds").iterdir():
            source = path.with_name(test) if path.name == "val" else path
            (tmp_path / kind / "SynthBirds" / path.name).symlink_to(source)
    places = [f"--data_root={tmp_path / 'dataset'}", f"--metadata_root={tmp_path / 'metadata'}"]
    for split in ("val", "test"):
        assert evaluate(*bird_flags(birds), *places, f"--split={split}", "--score_map_process=conditional") == 0
    val, test = (results(birds / "save" / "run", tag) for tag in ("_val", ""))
    assert (val["config"]["split"], test["config"]["split"]) == ("val", "test") and val["metrics"] == test["metrics"]


def test_a_bad_keypoint_line_is_named(birds, capsys):
    path = birds / "dataset" / "SynthBirds" / "parts" / "part_locs.txt"
    text = path.read_text()
    try:
        path.write_text(text.replace("\n1 3 ", "\n1 x ", 1))
        assert evaluate(*bird_flags(birds)) == 2
    finally:
        path.write_text(text)
    assert "part_locs.txt, line 3" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["joint", "gradient"])
def test_a_network_that_is_not_finite_is_refused_with_the_image_s_name(name, birds, capsys):
    content = torch.load(birds / "save" / "run" / "last_checkpoint.pth.tar", weights_only=True)
    content["state_dict"]["conv_last.weight"][0, 0] = float("inf")
    (birds / "save" / "broken").mkdir(exist_ok=True)
    torch.save(content, birds / "save" / "broken" / "last_checkpoint.pth.tar")
    flags = [*bird_flags(birds), f"--load_checkpoint={birds / 'save' / 'broken'}", f"--score_map_process={name}"]
    assert evaluate(*flags) == 2
    assert "_test_0001.jpg: the network's class_logits are not finite" in capsys.readouterr().err
    assert not (birds / "save" / "broken" / "results").exists()
