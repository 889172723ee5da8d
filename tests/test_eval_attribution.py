"""eval_attribution.py as a user starts it: a slow version, several checkpoints, two processes, refusals."""

import json
from itertools import pairwise
from pathlib import Path

import pytest
import torch

from calm import errors, eval_attribution
from calm.attribution import build_attribution
from calm.attribution.score_map import normalize, resize
from calm.data_loaders.datasets import build_dataset
from calm.data_loaders.synthbirds import generate as synthbirds
from calm.evaluation.attribution import judged
from calm.evaluation.attribution.measures import MEASURES
from calm.evaluation.untrained import with_untrained_heads
from calm.networks import build_network
from tests.processes import in_two_processes

CLASSES, SIZE, STEPS = 3, 48, 4


def untrained(method: str) -> torch.nn.Module:
    torch.manual_seed(1)
    network = build_network("tiny", method, CLASSES, prior_activation="relu", detach_prior_sum=True)
    return network.eval()


@pytest.fixture(scope="module")
def birds(tiny_trunk, tmp_path_factory) -> Path:
    """SynthBirds, small, and untrained networks in save/."""
    folder = tmp_path_factory.mktemp("birds")
    synthbirds.generate(
        folder / "dataset",
        folder / "metadata",
        num_classes=CLASSES,
        image_size=SIZE,
        seed=0,
        train_per_class=1,
        val_per_class=1,
        test_per_class=3,
    )
    for method in ("CAM", "CALM_ML"):
        run = folder / "save" / method
        run.mkdir(parents=True)
        content = {"architecture": "tiny", "epoch": 1, "state_dict": untrained(method).state_dict()}
        config = {
            "architecture": "tiny",
            "attribution_method": method,
            "dataset_name": "SynthBirds",
            "data_root": str(folder / "dataset"),
            "metadata_root": str(folder / "metadata"),
            "crop_size": SIZE,
            "large_feature_map": False,
            "prior_activation": "relu",
            "detach_prior_sum": True,
        }
        torch.save({**content, "config": config}, run / "last_checkpoint.pth.tar")
    return folder


def flags_for(birds: Path, *methods: str) -> list[str]:
    checkpoints = ",".join(str(birds / "save" / method) for method in methods)
    return [f"--load_checkpoint={checkpoints}", "--batch_size=4", "--workers=0", f"--auc_steps={STEPS}"]


def evaluate(*flags: str) -> int:
    return errors.run(lambda: eval_attribution.main(flags))


def results(birds: Path, method: str, tag: str = "") -> dict:
    return json.loads((birds / "save" / method / "results" / f"attribution{tag}.json").read_text())


def slow_numbers(birds: Path, name: str, index: int) -> dict[str, float]:
    """The numbers of one image by the definitions, with loops over pixels and boxes."""
    network = untrained("CALM_ML")
    dataset = build_dataset(
        "SynthBirds", "test", data_root=birds / "dataset", metadata_root=birds / "metadata", crop_size=SIZE
    )
    image, target, _ = dataset[index]

    def probability(shown: torch.Tensor) -> float:
        with torch.no_grad():
            return network(shown[None]).log_p_y.exp()[0, target].item()

    raw = resize(build_attribution(name)(network, image[None], torch.tensor([target])).double(), SIZE).float()
    score = normalize(raw, "minmax")[0]
    ((x0, y0, x1, y1),) = dataset.records[index].boxes  # images have the maps' size already
    inside = [(y, x) for y in range(SIZE) for x in range(SIZE) if y0 <= y <= y1 and x0 <= x <= x1]
    full, masked = probability(image), probability(image * score)
    numbers = {"average_drop": max(0, full - masked) / full, "increase": float(masked > full)}
    for delta in (0, 0.25, 0.5):
        marked = {(y, x) for y in range(SIZE) for x in range(SIZE) if score[y, x] > delta}
        internal = len(marked & set(inside))
        numbers[f"Loc_{round(100 * delta)}"] = internal / (len(inside) + len(marked) - internal)
    numbers["proportion"] = sum(score[y, x].item() for y, x in inside) / score.sum().item()
    peak = divmod(int(score.flatten().argmax()), SIZE)
    numbers["pointing"] = float(peak in inside)
    order = sorted(range(SIZE * SIZE), key=lambda pixel: (-raw[0].flatten()[pixel].item(), pixel))
    curve = []
    for step in range(STEPS + 1):
        erased = image.clone()
        erased.view(3, -1)[:, order[: step * SIZE * SIZE // STEPS]] = 0
        curve.append(probability(erased))
    numbers["deletion"] = sum((a + b) / 2 for a, b in pairwise(curve)) / STEPS
    return numbers


def test_equals_a_slow_version(birds, capsys):
    assert evaluate(*flags_for(birds, "CALM_ML"), "--attributions=jointll,gradcam") == 0
    found = results(birds, "CALM_ML")
    assert set(found["metrics"]) == {"joint", "gradcam"} and set(found["metrics"]["gradcam"]) == set(MEASURES)
    for name in found["metrics"]:
        images = found["details"]["images"][name]
        assert len(images["image_ids"]) == CLASSES * 3
        for index in (0, 5):
            for key, value in slow_numbers(birds, name, index).items():
                assert images[key][index] == pytest.approx(value, abs=2e-4), key
        for key in MEASURES:
            mean = MEASURES[key].scale * sum(images[key]) / len(images[key])
            assert found["metrics"][name][key] == pytest.approx(mean, abs=1e-6)
    joint, gradcam = (found["details"]["images"][name]["average_drop"] for name in ("joint", "gradcam"))
    wins = sum(a < b for a, b in zip(joint, gradcam, strict=True))
    assert found["details"]["wins"]["joint over gradcam"] == pytest.approx(100 * wins / 9)
    assert found["metrics"]["joint"]["win_over_gradcam"] == pytest.approx(100 * wins / 9)
    assert "average drop %" in capsys.readouterr().out


def test_several_checkpoints_compare_on_the_same_images(birds, capsys, splits_read):
    chosen = ("--attributions=cam,joint", "--tag=both", "--smoothing_ksize=5")
    assert evaluate(*flags_for(birds, "CAM", "CALM_ML"), *chosen) == 0
    output = capsys.readouterr().out
    assert output.count("--smoothing_ksize=5 has no effect on attribution with cam, joint") == 1
    assert "joint needs CALM's prior and is left out" in output
    cam, calm = (results(birds, method, "_both") for method in ("CAM", "CALM_ML"))
    assert set(cam["metrics"]) == {"cam"} and set(calm["metrics"]) == {"cam", "joint"}
    assert cam["details"]["wins"] == calm["details"]["wins"] and len(cam["details"]["wins"]) == 6
    assert splits_read == ["test"]
    assert cam["checkpoint"]["sha256"] != calm["checkpoint"]["sha256"]


def test_maps_without_knowledge_have_the_size_of_each_checkpoint_s(birds):
    """A Gaussian of a quarter of the side; what a checkpoint's file says does not depend on those beside it."""
    run = birds / "save" / "larger"
    content = torch.load(birds / "save" / "CAM" / "last_checkpoint.pth.tar")
    content["config"]["crop_size"] = 2 * SIZE
    run.mkdir()
    torch.save(content, run / "last_checkpoint.pth.tar")
    assert evaluate(*flags_for(birds, "CAM", "larger"), "--tag=sizes") == 0
    assert evaluate(*flags_for(birds, "larger"), "--tag=alone") == 0
    beside, alone = (results(birds, "larger", tag)["baselines"] for tag in ("_sizes", "_alone"))
    assert beside == alone and beside["centred_gaussian"]["sigma"] == SIZE / 2
    assert results(birds, "CAM", "_sizes")["baselines"]["centred_gaussian"]["sigma"] == SIZE / 4


def test_untrained_heads_explain_the_class_that_they_predict_where_the_map_does(birds):
    """Energy inside the box of the map of either class, image by image."""
    assert evaluate(*flags_for(birds, "CAM"), "--explain=predicted", "--attributions=cam", "--tag=heads") == 0
    fresh = with_untrained_heads(untrained("CAM"))
    dataset = build_dataset(
        "SynthBirds", "test", data_root=birds / "dataset", metadata_root=birds / "metadata", crop_size=SIZE
    )
    shares: list[list[float]] = []
    for index, record in enumerate(dataset.records):
        image, target, _ = dataset[index]
        ((x0, y0, x1, y1),) = record.boxes
        with torch.no_grad():
            output = fresh(image[None])
        maps = [output.class_maps[:, own] for own in (int(output.log_p_y.argmax()), target)]
        scores = [normalize(resize(own.double(), SIZE), "minmax")[0] for own in maps]
        shares.append([float(own[y0 : y1 + 1, x0 : x1 + 1].sum() / own.sum()) for own in scores])
    predicted, true = (100 * sum(column) / len(shares) for column in zip(*shares))
    found = results(birds, "CAM", "_heads")["baselines"]["untrained_heads/cam"]["proportion"]
    assert found == pytest.approx(predicted, abs=1e-3) != pytest.approx(true, abs=1e-2)


def test_masks_predicted_classes_and_two_processes(birds):
    flags = [*flags_for(birds, "CALM_ML"), "--regions=masks", "--explain=predicted", "--score_map_process=gtcond"]
    in_two_processes(eval_attribution.main, [*flags, "--tag=two"])
    assert evaluate(*flags, "--tag=one") == 0
    one, two = results(birds, "CALM_ML", "_one"), results(birds, "CALM_ML", "_two")
    ours, theirs = (each["details"]["images"]["posterior"] for each in (one, two))
    assert ours["image_ids"] == theirs["image_ids"]
    for key in MEASURES:
        assert ours[key] == pytest.approx(theirs[key], abs=1e-5)
        assert one["metrics"]["posterior"][key] == pytest.approx(two["metrics"]["posterior"][key], abs=1e-3)


@pytest.mark.parametrize(
    ("methods", "flags", "words"),
    [
        (["CAM"], ["--attributions=joint"], "none of them exists"),
        (["CAM"], ["--attributions=gradcamm"], "gradcam"),
        (["CAM"], ["--attributions=,"], "names no map"),
        (["CAM", "CALM_ML"], ["--experiment_name=x"], "one checkpoint"),
        (["CAM", "CALM_ML", "CAM/last_checkpoint.pth.tar"], [], "one run folder"),
        (["CALM_ML"], ["--attributions=counterfactual"], "versus"),
    ],
)
def test_refusals_are_one_sentence(birds, capsys, methods, flags, words):
    assert evaluate(*flags_for(birds, *methods), *flags) == 2
    message = capsys.readouterr().err
    assert words in message and message.count("\n") == 1


def test_a_missing_second_checkpoint_is_told_before_the_first_is_judged(birds, capsys, monkeypatch):
    monkeypatch.setattr(judged, "judge_checkpoint", lambda *given: pytest.fail("judged too early"))
    assert evaluate(*flags_for(birds, "CALM_ML", "nowhere")) == 2
    assert "nowhere" in capsys.readouterr().err


def test_the_offset_of_the_cells_is_the_trunks_or_the_one_that_is_given(birds, capsys):
    """With the trunk's own offset given nothing changes, with another one it does."""
    run = str(birds / "save" / "CAM")
    own = build_network("tiny", "CAM", CLASSES).cell_offset

    def measured(*words: str) -> float:
        flags = [f"--load_checkpoint={run}", "--attributions=cam", "--workers=0", "--regions=boxes", *words]
        assert errors.run(lambda: eval_attribution.main(flags)) == 0
        return json.loads((birds / "save" / "CAM" / "results" / "attribution.json").read_text())["metrics"]["cam"]

    aligned = "--resize_alignment=receptive_field"
    assert (
        measured(aligned, f"--cell_offset={own}") == measured(aligned) != measured(aligned, f"--cell_offset={own + 3}")
    )
    words = [f"--load_checkpoint={run}", "--attributions=cam", "--workers=0", "--cell_offset=3"]
    assert errors.run(lambda: eval_attribution.main(words)) == 2
    assert "--cell_offset=3.0 goes with --resize_alignment=receptive_field" in capsys.readouterr().err
