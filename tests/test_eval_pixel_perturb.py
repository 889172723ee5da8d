"""eval_pixel_perturb.py as a user starts it: a slow version, two processes, the release's command, refusals."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from calm import errors, eval_pixel_perturb
from calm.attribution import build_attribution
from calm.data_loaders.datasets import build_dataset
from calm.data_loaders.synthbirds import generate as synthbirds
from calm.evaluation.pixel_perturb.erasing import PERCENTAGES
from calm.networks import build_network
from tests.processes import in_two_processes

CLASSES, SIZE = 4, 48


def save_checkpoint(folder: Path, network: torch.nn.Module) -> None:
    """A checkpoint as published ones are: no configuration beside the weights."""
    folder.mkdir(parents=True)
    content = {"architecture": "tiny", "epoch": 1, "state_dict": network.state_dict(), "optimizer": {}}
    torch.save(content, folder / "last_checkpoint.pth.tar")


def untrained(method: str) -> torch.nn.Module:
    torch.manual_seed(3)
    network = build_network("tiny", method, CLASSES, prior_activation="relu", detach_prior_sum=True)
    return network.eval()


@pytest.fixture(scope="module")
def birds(tiny_trunk, tmp_path_factory) -> Path:
    """SynthBirds, small, and untrained networks in save/: their guesses are as good as any for counting."""
    folder = tmp_path_factory.mktemp("birds")
    synthbirds.generate(
        folder / "dataset",
        folder / "metadata",
        num_classes=CLASSES,
        image_size=SIZE,
        seed=0,
        train_per_class=1,
        val_per_class=1,
        test_per_class=6,
    )
    for method in ("CAM", "CALM_EM"):
        save_checkpoint(folder / "save" / method, untrained(method))
    return folder


def flags_for(birds: Path, method: str = "CALM_EM") -> list[str]:
    return [
        f"--save_root={birds / 'save'}",
        f"--load_checkpoint={method}",
        "--dataset=SynthBirds",
        f"--data_root={birds / 'dataset'}",
        f"--metadata_root={birds / 'metadata'}",
        f"--attribution_method={method}",
        f"--crop_size={SIZE}",
        "--batch_size=5",
        "--workers=0",
        "--large_feature_map=False",
    ]


def evaluate(*flags: str) -> int:
    return errors.run(lambda: eval_pixel_perturb.main(flags))


def results(birds: Path, tag: str, method: str = "CALM_EM") -> dict:
    return json.loads((birds / "save" / method / "results" / f"pixel_perturb{tag}.json").read_text())


def slow_counts(birds: Path, method: str, name: str) -> list[int]:
    """Correct answers per k with zeroed pixels, image by image, resized by OpenCV."""
    network = untrained(method)
    dataset = build_dataset(
        "SynthBirds", "test", data_root=birds / "dataset", metadata_root=birds / "metadata", crop_size=SIZE
    )
    correct = [0] * len(PERCENTAGES)
    for image, target, _ in dataset:
        small = build_attribution(name)(network, image[None], torch.tensor([target]))[0].double().numpy()
        large = cv2.resize(small, (SIZE, SIZE), interpolation=cv2.INTER_LINEAR).astype(np.float32)
        order = np.argsort(-large.ravel(), kind="stable")
        for number, k in enumerate((0.1, 0.3, 0.5, 0.7, 0.9)):
            erased = image.clone()
            erased.view(3, -1)[:, torch.from_numpy(order[: int(k * SIZE * SIZE)])] = 0
            with torch.no_grad():
                correct[number] += int(network(erased[None]).log_p_y.argmax() == target)
    return correct


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(("method", "name"), [("CALM_EM", "joint"), ("CAM", "gradient")])
def test_equals_a_slow_version(birds, method, name, capsys):
    flags = [*flags_for(birds, method), f"--score_map_process={name}", "--protocol=released", f"--tag={name}"]
    assert evaluate(*flags) == 0
    found = results(birds, f"_{name}", method)
    slow = slow_counts(birds, method, name)
    assert list(found["details"]["correct"].values()) == slow
    assert len(set(slow)) > 1, "a network that never changes its mind would prove nothing"
    assert found["details"]["num_images"] == 24 and found["details"]["erase"] == "zero"
    for k in PERCENTAGES:
        random = found["details"]["correct_random"][str(k)]
        metrics = found["metrics"]
        assert metrics[f"A_{k}"] == pytest.approx(100 * found["details"]["correct"][str(k)] / 24)
        assert metrics[f"Ar_{k}"] == pytest.approx(100 * random / 24)
        assert metrics[f"R_{k}"] == (pytest.approx(metrics[f"A_{k}"] / metrics[f"Ar_{k}"]) if random else None)
    assert "R_k" in capsys.readouterr().out


def test_blur_is_the_default_and_pictures_are_drawn(birds):
    assert evaluate(*flags_for(birds)) == 0
    found = results(birds, "")
    assert found["protocol"] == "paper" and found["details"]["erase"] == "blur" and found["config"]["erase"] == "blur"
    for name in ("curves.png", "samples.png"):
        assert (birds / "save/CALM_EM/results/pixel_perturb" / name).stat().st_size > 10_000


@pytest.mark.usefixtures("undrawn")
def test_batch_size_seed_and_precision(birds):
    flags = [*flags_for(birds), "--erase=noise"]
    assert evaluate(*flags, "--tag=a", "--seed=1") == 0
    assert evaluate(*flags, "--tag=b", "--seed=1", "--batch_size=24") == 0
    assert results(birds, "_a")["details"] == results(birds, "_b")["details"]
    assert evaluate(*flags, "--tag=c", "--seed=1", "--precision=bf16") == 0
    close = results(birds, "_c")["metrics"]["accuracy"] - results(birds, "_a")["metrics"]["accuracy"]
    assert abs(close) <= 100 / 12


@pytest.mark.usefixtures("undrawn")
def test_two_processes_equal_one(birds):
    flags = [*flags_for(birds), "--erase=mean"]
    in_two_processes(eval_pixel_perturb.main, [*flags, "--tag=two"])
    assert evaluate(*flags, "--tag=one") == 0
    assert results(birds, "_one")["details"] == results(birds, "_two")["details"]
    assert results(birds, "_one")["metrics"] == results(birds, "_two")["metrics"]


@pytest.mark.usefixtures("undrawn")
def test_the_command_of_the_release(birds, capsys, monkeypatch):
    monkeypatch.chdir(birds)
    verbatim = (
        "--experiment_name=experiment_name/ --architecture=tiny --attribution_method=CALM_EM --dataset=SynthBirds "
        "--use_bn=True --large_feature_map=False --use_load_checkpoint=True --load_checkpoint=CALM_EM/ "
        "--score_map_process=jointll --norm_type=clipping"
    )
    small = f"--crop_size={SIZE} --workers=0 --data_root=dataset/ --metadata_root=metadata/"
    assert evaluate(*verbatim.split(), *small.split()) == 0
    output = capsys.readouterr().out
    assert "--norm_type=clipping has no effect" in output
    assert (birds / "save/experiment_name/results/pixel_perturb.json").exists()


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--erase=gray"], "--erase"),
        (["--score_map_process=counterfactual"], "versus"),
        (["--score_map_process=jont"], "joint"),
        (["--load_checkpoint=nowhere/"], "nowhere"),
        (["--num_classes=3"], "unknown argument"),
    ],
)
def test_refusals_are_one_sentence(birds, capsys, flags, words):
    assert evaluate(*flags_for(birds), *flags) == 2
    message = capsys.readouterr().err
    assert words in message and message.count("\n") == 1
