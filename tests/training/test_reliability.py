"""What a run survives: damaged and stripped checkpoints, a twin, a divergence, a replaced run that never came to be."""

import shutil
import subprocess
import sys

import pytest
import torch

from calm import main
from calm.atomic import exclusive
from calm.data_loaders.synthbirds import generate as synthbirds
from calm.errors import UserError
from calm.networks import load_network
from calm.networks.tensor_files import digest_of, read_tensors, write_tensors
from calm.runs import BEST, LAST
from calm.training import epochs
from calm.training.run import LOCK, PREVIOUS


@pytest.fixture(scope="module")
def birds(tiny_trunk, tmp_path_factory):
    folder = tmp_path_factory.mktemp("birds")
    counts = {"train_per_class": 5, "val_per_class": 2, "test_per_class": 2}
    synthbirds.generate(folder / "dataset", folder / "metadata", num_classes=2, image_size=48, seed=0, **counts)
    return folder


def flags(birds, name, *more):
    return [
        f"--experiment_name={name}",
        "--dataset=SynthBirds",
        f"--data_root={birds / 'dataset'}",
        f"--metadata_root={birds / 'metadata'}",
        f"--save_root={birds / 'save'}",
        *"--architecture=tiny --pretrained=False --crop_size=48 --batch_size=5 --workers=0 --seed=0".split(),
        *more,
    ]


@pytest.fixture(scope="module")
def run(birds):
    """One epoch."""
    main.main(flags(birds, "run", "--epochs=1"))
    return birds / "save" / "run"


@pytest.fixture
def copy_of(run, birds, request):
    """A copy of the run that a test may damage."""
    folder = birds / "save" / request.node.name.replace("/", "_")
    shutil.copytree(run, folder)
    yield folder
    shutil.rmtree(folder)


def resume(birds, folder, *more):
    main.main(flags(birds, folder.name, "--epochs=2", "--resume", *more))


@pytest.mark.parametrize("entry", ["optimizer", "epoch", "best_accuracy", "config", "class_names"])
def test_a_checkpoint_without_its_state_is_one_sentence(birds, copy_of, entry):
    content = torch.load(copy_of / LAST, weights_only=True)
    del content[entry]
    torch.save(content, copy_of / LAST)
    with pytest.raises(UserError, match=rf"{LAST} has no {entry}") as error:
        resume(birds, copy_of)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("entry", "value"),
    [("config", {"epochs": "x"}), ("config", {"crop_size": [1]}), ("optimizer", {"state": {}}), ("epoch", "1")],
)
def test_a_checkpoint_with_other_content_is_one_sentence(birds, copy_of, entry, value):
    content = torch.load(copy_of / LAST, weights_only=True)
    content[entry] = {**content["config"], **value} if entry == "config" else value
    write_tensors(copy_of / LAST, content)
    with pytest.raises(UserError, match="resume") as error:
        resume(birds, copy_of)
    assert "\n" not in str(error.value)


def test_flipped_bytes_are_noticed_everywhere(copy_of):
    whole = (copy_of / LAST).read_bytes()
    generator = torch.Generator().manual_seed(0)
    same = load_network(copy_of)[0].state_dict()
    noticed = 0
    for place in torch.randint(len(whole), (20,), generator=generator).tolist():
        (copy_of / LAST).write_bytes(whole[:place] + bytes([whole[place] ^ 16]) + whole[place + 1 :])
        try:
            loaded = load_network(copy_of)[0].state_dict()
        except UserError:
            noticed += 1
        else:  # a byte between the parts
            assert all(torch.equal(loaded[name], same[name]) for name in same)
    assert noticed >= 14  # the headers between the parts are no small share of this small file


def test_a_changed_value_is_noticed_by_the_digest(copy_of):
    content = torch.load(copy_of / LAST, weights_only=True)
    assert content["digests"]["state_dict"] == digest_of(content["state_dict"])
    content["state_dict"]["conv1.weight"][0, 0, 0, 0] += 1
    torch.save(content, copy_of / LAST)  # its zip checksums are right
    with pytest.raises(UserError, match="state_dict differs from its digest"):
        read_tensors(copy_of / LAST)


def test_a_twin_is_kept_out(birds, run, pytestconfig):
    before = (run / LAST).read_bytes()
    code = (
        "import sys, time; from calm.atomic import exclusive\n"
        "with exclusive(sys.argv[1]): print('held', flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(run / LOCK)], cwd=pytestconfig.rootpath, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout.readline() == "held\n"
    try:
        for more in (["--resume", "--epochs=2"], ["--override_cache", "--epochs=1"]):
            with pytest.raises(UserError, match=rf"run is in use by process {holder.pid}"):
                main.main(flags(birds, "run", *more))
    finally:
        holder.kill()
        holder.wait()
    assert (run / LAST).read_bytes() == before
    with exclusive(run / LOCK):
        pass


def test_a_divergence_in_the_last_step_leaves_the_good_checkpoint(birds, copy_of):
    before = {name: (copy_of / name).read_bytes() for name in (LAST, BEST)}
    content = torch.load(copy_of / LAST, weights_only=True)
    content["config"]["lr"] = 1e30
    for group in content["optimizer"]["param_groups"]:
        group |= {"lr": 1e30, "initial_lr": 1e30}
    write_tensors(copy_of / LAST, content)
    before[LAST] = (copy_of / LAST).read_bytes()
    with pytest.raises(UserError, match=r"not finite|became (nan|inf).*lower `lr`"):
        resume(birds, copy_of)
    assert {name: (copy_of / name).read_bytes() for name in (LAST, BEST)} == before


def test_a_network_that_is_not_finite_is_refused_with_the_image_s_name(birds, copy_of):
    content = torch.load(copy_of / LAST, weights_only=True)
    content["state_dict"]["conv_last.weight"][:] = float("nan")
    write_tensors(copy_of / LAST, content)
    with pytest.raises(UserError, match=r"001\..*_test_0001\.jpg: the network's class_maps are not finite"):
        main.main(flags(birds, "other", "--is_train=False", f"--load_checkpoint={copy_of}"))


def test_an_accuracy_on_classes_in_another_order_is_said(birds, copy_of, capsys):
    content = torch.load(copy_of / LAST, weights_only=True)
    first, second = content["class_names"]
    write_tensors(copy_of / LAST, {**content, "class_names": [second, first]})
    main.main(["--is_train=False", f"--load_checkpoint={copy_of}", "--workers=0"])
    notice = f"notice: class 0 is {second} in the checkpoint and {first} in SynthBirds at {birds / 'dataset'}"
    assert notice in capsys.readouterr().out


def test_a_resumed_run_goes_on_in_its_own_arithmetic(birds, monkeypatch):
    settled = []
    monkeypatch.setattr(epochs, "settle_arithmetic", lambda device, precision, **flags: settled.append(flags))
    main.main(flags(birds, "exact", "--epochs=1", "--deterministic", "--tf32"))
    main.main(["--experiment_name=exact", f"--save_root={birds / 'save'}", "--resume", "--epochs=2", "--tf32=False"])
    assert settled == [{"deterministic": True, "tf32": True}, {"deterministic": True, "tf32": False}]


def test_a_replaced_run_stays_until_the_new_one_has_a_checkpoint(birds, copy_of, monkeypatch):
    before = (copy_of / LAST).read_bytes()
    replace = flags(birds, copy_of.name, "--epochs=1", "--override_cache", "--seed=1")
    with monkeypatch.context() as patch:
        patch.setattr("calm.training.epochs.train_one_epoch", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            main.main(replace)
    assert (copy_of / PREVIOUS / LAST).read_bytes() == before and not (copy_of / LAST).exists()
    main.main(replace)
    assert not (copy_of / PREVIOUS).exists() and (copy_of / LAST).read_bytes() != before


def test_a_folder_that_is_no_run_is_not_replaced(birds):
    folder = birds / "save" / "photographs"
    (folder / "results").mkdir(parents=True)
    (folder / "results" / "mine.txt").write_text("keep")
    main.main(flags(birds, "photographs", "--epochs=1", "--override_cache"))
    assert (folder / "results" / "mine.txt").read_text() == "keep"
    foreign = birds / "save" / "foreign"
    foreign.mkdir()
    (foreign / LAST).write_bytes(b"of another code")
    with pytest.raises(UserError, match=r"no config\.yaml of a run of this code"):
        main.main(flags(birds, "foreign", "--epochs=1", "--override_cache"))
    assert (foreign / LAST).read_bytes() == b"of another code"


@pytest.mark.parametrize("config", ["kind: of another project\n", "- a list\n", "a: [\n", ""])
def test_another_project_s_config_makes_no_run(birds, tmp_path, config):
    folder = birds / "save" / tmp_path.name
    (folder / "results").mkdir(parents=True)
    own = {folder / "config.yaml": config, folder / "log.txt": "notes", folder / "results" / "mine.txt": "keep"}
    for path, text in own.items():
        path.write_text(text)
    with pytest.raises(UserError, match=r"no config\.yaml of a run of this code, so it is not replaced"):
        main.main(flags(birds, folder.name, "--epochs=1", "--override_cache"))
    assert {path: path.read_text() for path in own} == own


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--architecture=resnet18", "--crop_size=16", "--batch_size=3"], "batch of 1"),
        (["--architecture=vgg16", "--crop_size=8", "--batch_size=5"], "`crop_size`=8"),
    ],
)
def test_a_batch_that_cannot_train_is_found_out_before_the_epoch(birds, more, said):
    with pytest.raises(UserError, match=said) as error:
        main.main(flags(birds, "small", "--epochs=1", *more))
    assert "\n" not in str(error.value) and not (birds / "save" / "small" / LAST).exists()


def test_metrics_that_are_not_ours_are_named(birds, copy_of):
    (copy_of / "metrics.jsonl").write_text('{"step": 1}\n')
    with pytest.raises(UserError, match=r"metrics\.jsonl, line 1"):
        resume(birds, copy_of)
