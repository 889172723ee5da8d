"""A run that starts from another run's checkpoint: CAM goes on as CALM."""

import pytest
import torch

from calm.config import parse
from calm.errors import UserError
from calm.flags import recorded
from calm.networks import build_network
from calm.training.start import started
from calm.training.state import initial_network

OF_CAM = ("--architecture=timm:test_resnet", "--dataset=SynthBirds", "--crop_size=64", "--metadata_root=there")


@pytest.fixture(scope="module")
def cam_run(tmp_path_factory):
    """A run folder of a CAM network with 3 classes."""
    folder = tmp_path_factory.mktemp("cam")
    state = build_network("timm:test_resnet", "CAM", 3).state_dict()
    content = {"state_dict": state, "config": recorded(parse(OF_CAM, "main")), "class_names": list("abc")}
    torch.save(content, folder / "last_checkpoint.pth.tar")
    return folder


def flags(*words):
    return parse(words, "main")


def test_cam_goes_on_as_calm_with_what_its_checkpoint_says(cam_run, capsys):
    args = started(flags(f"--load_checkpoint={cam_run}", "--attribution_method=CALM_EM", "--metadata_root=here"))
    assert (args.architecture, args.dataset_name, args.crop_size) == ("timm:test_resnet", "SynthBirds", 64)
    assert args.attribution_method == "CALM_EM" and args.metadata_root == "here"
    assert "--architecture=timm:test_resnet" in capsys.readouterr().out
    assert recorded(args)["load_checkpoint"] == str(cam_run)
    torch.manual_seed(1)
    network = initial_network(args, 3)
    torch.manual_seed(1)
    untrained = build_network("timm:test_resnet", "CALM_EM", 3, crop_size=64)
    before = torch.load(cam_run / "last_checkpoint.pth.tar")["state_dict"]
    for name, tensor in network.state_dict().items():
        expected = untrained.state_dict()[name] if name.startswith("attention.") else before[name]
        assert torch.equal(tensor, expected), name
    assert all(parameter.requires_grad for parameter in network.attention.parameters())


@pytest.mark.parametrize(
    ("words", "sizes"),
    [
        ([], (64, 73)),
        (["--crop_size=64"], (64, 73)),
        (["--crop_size=32"], (32, 37)),
        (["--crop_size=32", "--resize_size=40"], (32, 40)),
        (["--crop_size=112"], (112, 128)),
        (["--resize_size=256"], (64, 256)),
    ],
)
def test_the_size_before_the_crop_follows_a_crop_of_the_call(cam_run, words, sizes):
    """256 to 224, as without a checkpoint; what the run had holds for its own crop."""
    args = started(flags(f"--load_checkpoint={cam_run}", *words))
    assert (args.crop_size, args.resize_size) == sizes


def test_without_a_method_the_run_s_own_goes_on(cam_run):
    assert started(flags(f"--load_checkpoint={cam_run}")).attribution_method == "CAM"


def test_another_task_takes_the_trunk_s_flags_alone(cam_run):
    args = started(flags(f"--load_checkpoint={cam_run}", "--is_different_checkpoint"))
    assert args.architecture == "timm:test_resnet" and args.dataset_name == "CUB" and args.crop_size == 224


def test_other_trunks_are_one_sentence(cam_run):
    with pytest.raises(UserError, match=r"`architecture`=resnet18 differs from timm:test_resnet .*leave it out"):
        started(flags(f"--load_checkpoint={cam_run}", "--architecture=resnet18"))
