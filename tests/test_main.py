"""The main job end to end, as a user starts it: train, resume after a kill, several processes, refusals."""

import json
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import yaml

from calm import main
from calm.atomic import replacing
from calm.data_loaders.synthbirds import generate as synthbirds
from calm.errors import UserError
from calm.networks import load_network
from calm.networks.tensor_files import write_tensors
from calm.training import epochs as epochs_of_a_run
from tests.processes import Started, in_two_processes

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def birds(tiny_trunk, tmp_path_factory) -> Path:
    """A folder with a very small SynthBirds: 3 classes, 32 px."""
    folder = tmp_path_factory.mktemp("birds")
    synthbirds.generate(
        folder / "dataset",
        folder / "metadata",
        num_classes=3,
        image_size=48,
        seed=0,
        train_per_class=6,
        val_per_class=2,
        test_per_class=3,
    )
    return folder


def flags(birds: Path, name: str, *more: str) -> list[str]:
    return [
        f"--experiment_name={name}",
        "--dataset=SynthBirds",
        f"--data_root={birds / 'dataset'}",
        f"--metadata_root={birds / 'metadata'}",
        f"--save_root={birds / 'save'}",
        "--architecture=tiny",
        "--attribution_method=CALM_EM",
        "--pretrained=False",
        "--crop_size=32",
        "--batch_size=6",
        "--epochs=3",
        "--workers=0",
        "--seed=1",
        *more,
    ]


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return torch.load(folder / "last_checkpoint.pth.tar", weights_only=True)["state_dict"]


def epochs(folder: Path) -> list[dict]:
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [line for line in lines if "val_accuracy" in line]


@pytest.fixture(scope="module")
def uninterrupted(birds) -> Path:
    """A complete run in its own process."""
    Started(main.main, flags(birds, "whole")).finished()
    return birds / "save" / "whole"


def test_a_run_leaves_everything_named_in_the_readme(uninterrupted):
    for name in ("config.yaml", "metrics.jsonl", "log.txt", "last_checkpoint.pth.tar", "best_checkpoint.pth.tar"):
        assert (uninterrupted / name).stat().st_size > 0
    assert (uninterrupted / "results" / "test_maps.png").stat().st_size > 1000
    assert list(uninterrupted.glob("events.out.tfevents.*"))
    result = json.loads((uninterrupted / "results" / "accuracy.json").read_text())
    assert result["evaluation"] == "accuracy" and result["details"]["num_images"] == 9
    low, high = result["intervals"]["accuracy"]
    accuracy = 100 * result["details"]["right"].count("1") / 9
    assert result["metrics"]["accuracy"] == pytest.approx(accuracy) and 0 <= low <= accuracy <= high <= 100
    assert len(result["checkpoint"]["sha256"]) == 64
    assert [line["epoch"] for line in epochs(uninterrupted)] == [1, 2, 3]
    network, stored = load_network(uninterrupted)
    assert stored["attribution_method"] == "CALM_EM" and network.num_classes == 3


@pytest.mark.parametrize("seed", [0, 1])
def test_killed_at_a_random_step_and_resumed_equals_uninterrupted(birds, uninterrupted, seed, request):
    name = f"killed{seed}"
    process = Started(main.main, flags(birds, name))
    folder = birds / "save" / name
    while not (folder / "last_checkpoint.pth.tar").exists():
        assert process.process.is_alive(), process.text()
        time.sleep(0.01)
    time.sleep(random.Random(seed).uniform(0, 0.2))  # both other epochs take about that
    process.kill()
    request.getfixturevalue("undrawn")
    Started(main.main, flags(birds, name, "--resume")).finished()
    for key, value in weights(uninterrupted).items():
        assert torch.equal(weights(folder)[key], value), key
    assert [(e["epoch"], e["train_loss"]) for e in epochs(folder)] == [
        (e["epoch"], e["train_loss"]) for e in epochs(uninterrupted)
    ]


@pytest.mark.usefixtures("undrawn")
def test_killed_before_the_first_checkpoint_and_resumed_starts_again(birds, uninterrupted):
    folder = birds / "save" / "early"
    folder.mkdir()
    (folder / "config.yaml").write_text((uninterrupted / "config.yaml").read_text())
    (folder / "metrics.jsonl").write_text('{"epoch": 1, "st')
    with pytest.raises(KeyboardInterrupt), replacing(folder / "last_checkpoint.pth.tar") as leftover:
        raise KeyboardInterrupt
    leftover.write_text("half")  # as a kill would leave it
    Started(main.main, ["--experiment_name=early", f"--save_root={birds / 'save'}", "--resume"]).finished()
    for key, value in weights(uninterrupted).items():
        assert torch.equal(weights(folder)[key], value), key
    assert not leftover.exists()
    assert [line["epoch"] for line in epochs(folder)] == [1, 2, 3]


@pytest.mark.usefixtures("undrawn")
def test_workers_change_nothing(birds, uninterrupted):
    Started(main.main, flags(birds, "workers", "--workers=2")).finished()
    for key, value in weights(uninterrupted).items():
        assert torch.equal(weights(birds / "save" / "workers")[key], value), key


@pytest.mark.usefixtures("undrawn")
def test_two_processes_equal_one_with_the_same_global_batch(birds):
    words = flags(birds, "one", "--architecture=tiny_plain", "--epochs=2", "--lr=0.001")
    two = [word.replace("=one", "=two") for word in words]
    main.main(words)
    in_two_processes(main.main, two)
    one, two = (epochs(birds / "save" / name) for name in ("one", "two"))
    assert len(one) == len(two) == 2
    for single, double in zip(one, two, strict=True):
        assert double["train_loss"] == pytest.approx(single["train_loss"], rel=1e-4)
        assert double["val_accuracy"] == single["val_accuracy"]
    one, two = (
        json.loads((birds / "save" / name / "results/accuracy.json").read_text())["details"] for name in ("one", "two")
    )
    assert one["right"] == two["right"]
    for key, value in weights(birds / "save" / "one").items():
        assert torch.allclose(weights(birds / "save" / "two")[key], value, rtol=1e-3, atol=1e-5), key


def test_reusing_a_name_is_refused_and_leaves_the_run_alone(birds, uninterrupted):
    before = {path: path.stat().st_mtime_ns for path in uninterrupted.rglob("*")}
    with pytest.raises(UserError, match="`override_cache`"):
        main.main(flags(birds, "whole"))
    assert before == {path: path.stat().st_mtime_ns for path in uninterrupted.rglob("*")}


def test_resume_refuses_another_recipe_and_a_missing_run(birds, uninterrupted):
    with pytest.raises(UserError, match="`lr`"):
        main.main(flags(birds, "whole", "--resume", "--lr=0.5"))
    with pytest.raises(UserError, match="does not exist"):
        main.main(flags(birds, "nowhere", "--resume"))
    assert not (birds / "save" / "nowhere").exists()


def test_only_our_run_on_the_same_classes_resumes(birds, uninterrupted):
    folder = birds / "save" / "foreign"
    folder.mkdir()
    content = torch.load(uninterrupted / "last_checkpoint.pth.tar", weights_only=True)
    write_tensors(folder / "last_checkpoint.pth.tar", {**content, "class_names": ["one"]})
    with pytest.raises(UserError, match="1 classes"):
        main.main(flags(birds, "foreign", "--resume"))
    torch.save({"architecture": "resnet18", "state_dict": content["state_dict"]}, folder / "last_checkpoint.pth.tar")
    with pytest.raises(UserError, match="`load_checkpoint`"):
        main.main(flags(birds, "foreign", "--resume"))


def test_a_map_that_does_not_exist_is_refused(birds):
    with pytest.raises(UserError, match="nonsense"):
        main.main(flags(birds, "x", "--score_map_process=nonsense"))
    with pytest.raises(UserError, match="backprop"):
        main.main(flags(birds, "x", "--score_map_method=backprop", "--score_map_process=joint"))


def test_a_diverged_loss_names_step_rate_and_checkpoint(birds):
    with pytest.raises(UserError, match=r"step \d+ of epoch \d.*learning rate.*checkpoint") as error:
        main.main(flags(birds, "diverged", "--attribution_method=CAM", "--lr=1e30", "--epochs=9"))
    assert "\n" not in str(error.value)


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("method", ["CAM", "CALM_ML"])
def test_other_methods_and_precision(birds, method, capsys):
    name = f"{method}_bf16"
    chosen = (f"--attribution_method={method}", "--epochs=1", "--precision=bf16", "--prior_activation=relu")
    main.main(flags(birds, name, *chosen))
    output = capsys.readouterr().out
    assert "test accuracy" in output and "--resize_size=37 follows --crop_size=32" in output
    assert ("--prior_activation=relu has no effect on training by CAM" in output) == (method == "CAM")
    main.main(["--is_train=False", f"--load_checkpoint={birds / 'save' / name}/"])
    assert "test accuracy" in capsys.readouterr().out


@pytest.mark.usefixtures("undrawn")
def test_a_moving_average_teacher_trains_and_resumes(birds):
    words = flags(birds, "ema", "--em_target=ema", "--em_momentum=0.9")
    main.main([*words, "--epochs=1"])
    main.main([*words, "--resume"])
    main.main([word.replace("=ema", "=whole_ema") if "experiment" in word else word for word in words])
    for key, value in weights(birds / "save" / "whole_ema").items():
        assert torch.equal(weights(birds / "save" / "ema")[key], value), key


@pytest.mark.usefixtures("undrawn")
def test_starting_from_another_task_s_checkpoint(birds, uninterrupted):
    words = flags(birds, "transfer", "--is_different_checkpoint", f"--load_checkpoint={uninterrupted}", "--epochs=1")
    main.main([*words, "--lr=0", "--lr_classifier_ratio=0"])
    old, new = weights(uninterrupted), weights(birds / "save" / "transfer")
    assert torch.equal(old["conv2.weight"], new["conv2.weight"])
    assert not torch.equal(old["conv_last.weight"], new["conv_last.weight"])


def test_an_ema_target_belongs_to_em(birds):
    with pytest.raises(UserError, match="CALM_EM"):
        main.main(flags(birds, "x", "--attribution_method=CALM_ML", "--em_target=ema"))


@pytest.mark.usefixtures("undrawn")
def test_metadata_is_read_once_a_split(birds, splits_read):
    main.main(flags(birds, "once"))
    assert sorted(splits_read) == ["test", "train", "val"]


def test_data_that_are_missing_are_found_out_before_the_network_is_built(tmp_path, monkeypatch):
    """Its ImageNet weights may have to be downloaded first."""
    monkeypatch.setattr(epochs_of_a_run, "build_training", lambda *given: pytest.fail("the network is built"))
    roots = [f"--{name}_root={tmp_path / name}" for name in ("data", "metadata", "save")]
    with pytest.raises(UserError, match=r"metadata/CUB/train/image_ids\.txt does not exist"):
        main.main(["--dataset=CUB", "--experiment_name=x", "--workers=0", *roots])


def test_the_network_is_the_first_to_draw_from_the_seed(birds, monkeypatch):
    class Seen(Exception):
        pass

    def seen(*given):
        raise Seen(torch.get_rng_state())

    monkeypatch.setattr(epochs_of_a_run, "build_training", seen)
    with pytest.raises(Seen) as caught:
        main.main(flags(birds, "seeded", "--seed=7"))
    assert torch.equal(caught.value.args[0], torch.Generator().manual_seed(7).get_state())


def test_a_training_on_birds_drawn_with_other_options_says_so(birds, monkeypatch, capsys):
    """As a demo on a folder that is there already would be."""
    monkeypatch.setattr(epochs_of_a_run, "train", lambda *given, **options: None)
    said = f"notice: {birds}/dataset/SynthBirds was made with num_classes 3 (default 12), image_size 48 (default 112)"
    for words in ([], ["--resume"]):
        main.main(flags(birds, "others", *words))
        assert capsys.readouterr().out.count(said) == (not words)


def test_the_resize_of_a_checkpoint_with_the_same_crop_is_said_to_be_its_own(birds, monkeypatch, capsys):
    monkeypatch.setattr(epochs_of_a_run, "train", lambda *given, **options: None)
    content = {"state_dict": {"x": torch.zeros(1)}, "config": {"crop_size": 32, "resize_size": 40}}
    torch.save(content, birds / "start.pth.tar")
    for crop, said in (("32", "--resize_size=40"), ("48", "--resize_size=55 follows --crop_size=48")):
        main.main(flags(birds, "from", f"--load_checkpoint={birds / 'start.pth.tar'}", f"--crop_size={crop}"))
        lines = [line for line in capsys.readouterr().out.splitlines() if "resize_size" in line]
        assert len(lines) == 1 and lines[0].endswith(said)


@pytest.mark.parametrize("words", [["main.py", "--help"], ["-m", "networks.zoo", "list"]])
def test_what_needs_no_torch_does_not_import_it(words):
    script = f"""
import runpy, sys
sys.argv = {words[-2:]!r}
try:
    runpy.{"run_module" if "-m" in words else "run_path"}({words[-2]!r}, run_name="__main__")
except SystemExit as end:
    assert not end.code, end.code
assert "torch" not in sys.modules and "timm" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout, done.stderr


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("method", ["HaS", "CutMix", "ADL"])
def test_methods_that_draw_resume_as_if_uninterrupted(birds, method):
    def trained(name, *more):
        main.main(flags(birds, name, f"--attribution_method={method}", *more))
        return birds / "save" / name

    whole = trained(f"{method}_whole", "--epochs=2")
    trained(f"{method}_half", "--epochs=1")
    half = trained(f"{method}_half", "--epochs=2", "--resume")
    for key, value in weights(whole).items():
        assert torch.equal(weights(half)[key], value), key
    assert [line["train_loss"] for line in epochs(half)] == [line["train_loss"] for line in epochs(whole)]
    of_half, of_whole = (yaml.safe_load((folder / "config.yaml").read_text()) for folder in (half, whole))
    assert of_half == {**of_whole, "experiment_name": half.name}  # it was made longer, and says so


@pytest.mark.usefixtures("undrawn")
def test_side_branches_and_second_derivatives_train_in_several_processes(birds):
    words = flags(birds, "spg_two", "--attribution_method=SPG", "--gradient_loss=cosine", "--epochs=1")
    in_two_processes(main.main, words)
    assert len(epochs(birds / "save" / "spg_two")) == 1
    assert any(name.startswith("SPG_B_shared") for name in weights(birds / "save" / "spg_two"))


def test_compiling_and_the_gradient_loss_exclude_each_other(birds):
    with pytest.raises(UserError, match="--compile does not go with --gradient_loss"):
        main.main(flags(birds, "both", "--compile", "--gradient_loss=mse"))
