"""Reading checkpoints: ours, released ones, and everything that is none."""

import pickle

import pytest
import torch

from calm.errors import UserError
from calm.networks import build_network, load_network
from calm.networks.checkpoint import load, load_matching
from calm.networks.checkpoint_files import locate_checkpoint, read_checkpoint

FLAGS = {"attribution_method": "CALM_EM", "large_feature_map": True, "dataset_name": "CUB"}
CONFIG = FLAGS | {"architecture": "resnet18", "use_bn": False, "prior_activation": "softplus", "epochs": 3}


@pytest.fixture(scope="module")
def trained():
    torch.manual_seed(3)
    return build_network("resnet18", "CALM_EM", 4, large_feature_map=True)


def write(folder, network, *, prefix="", **entries):
    state = {prefix + name: tensor for name, tensor in network.state_dict().items()}
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1).state_dict()
    content = {"architecture": network.architecture, "epoch": 2, "state_dict": state, "optimizer": optimizer}
    torch.save(content | entries, folder / "last_checkpoint.pth.tar")
    return folder / "last_checkpoint.pth.tar"


def same(network, other):
    return all(torch.equal(tensor, other.state_dict()[name]) for name, tensor in network.state_dict().items())


def test_ours_needs_no_flags(tmp_path, trained):
    path = write(tmp_path, trained, config=CONFIG, format_version=1, class_names=list("abcd"))
    for place in (tmp_path, path, str(tmp_path) + "/"):
        network, config = load_network(place)
        assert same(network, trained) and not network.training
        assert config == CONFIG and network.method == "CALM_EM" and network.num_classes == 4
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(network(images).log_p_y, trained.eval()(images).log_p_y)


@pytest.mark.parametrize("prefix", ["", "module.", "module._orig_mod."])
def test_released_needs_method_map_size_and_data_set(tmp_path, trained, prefix):
    path = write(tmp_path, trained, prefix=prefix)
    with pytest.raises(UserError, match="give `attribution_method`, `large_feature_map`, `dataset_name`"):
        load_network(path)
    network, config = load_network(path, method="calm-em", large_feature_map=True, dataset="CUB")
    assert same(network, trained) and config.architecture == "resnet18" and config.dataset_name == "CUB"
    assert config.prior_activation == "relu" and config.detach_prior_sum and config.inception_tap == "mixed_6d"
    assert network.head.detach_prior_sum
    softplus, _ = load_network(path, **FLAGS, prior_activation="softplus", detach_prior_sum=False)
    assert not softplus.head.detach_prior_sum


@pytest.mark.parametrize("architecture", ["vgg16", "inception_v3"])
@pytest.mark.parametrize("use_bn", [False, True])
def test_batch_norm_and_classes_come_from_the_weights(tmp_path, architecture, use_bn):
    path = write(tmp_path, build_network(architecture, "CALM_EM", 3, use_bn=use_bn))
    flags = FLAGS | {"large_feature_map": False}
    network, config = load_network(path, **flags)
    assert config.use_bn is use_bn and network.num_classes == 3
    assert getattr(network, "tap_after_6e", False) is False  # released weights skip Mixed_6e
    with pytest.raises(UserError, match=f"`use_bn`={use_bn}"):
        load_network(path, **flags, use_bn=not use_bn)
    with pytest.raises(UserError, match="has 3 classes, not 200"):
        load_network(path, **flags, num_classes=200)
    if architecture == "vgg16":
        with pytest.raises(UserError, match="large_feature_map"):
            load_network(path, **FLAGS)


def test_overrides_win_and_are_reported(tmp_path, trained):
    path = write(tmp_path, trained, config=CONFIG)
    loaded = load(path, prior_activation="relu", epochs=3)
    assert loaded.overridden == {"prior_activation": "softplus"} and loaded.config.prior_activation == "relu"
    with pytest.raises(UserError, match="unknown option 'metod'"):
        load_network(path, metod="CAM")
    with pytest.raises(UserError, match=r"has shape|lacks"):
        load_network(path, architecture="resnet50")


@pytest.mark.parametrize(
    "wrong",
    [{"crop_size": 0}, {"crop_size": "abc"}, {"large_feature_map": "maybe"}, {"method": 3}, {"prior_temperature": "x"}],
)
def test_an_override_that_its_flag_does_not_take_is_one_sentence(tmp_path, trained, wrong):
    name = {"method": "attribution_method"}.get(*wrong, *wrong)
    with pytest.raises(UserError, match=f"`{name}`"):
        load_network(write(tmp_path, trained, config=CONFIG), **wrong)
    assert load_network(tmp_path, crop_size="96")[1].crop_size == 96


@pytest.mark.parametrize("method", ["CAM", "HaS"])
def test_a_network_without_a_trained_prior_is_no_calm_network(tmp_path, trained, method):
    path = write(tmp_path, trained, config={**CONFIG, "attribution_method": method})
    with pytest.raises(UserError, match=f"was trained by {method}, so its prior was never trained"):
        load_network(path, attribution_method="CALM_ML")


@pytest.mark.parametrize("content", ["[]", '{"recipe": 3}'])
def test_another_source_json_beside_a_released_file_is_one_sentence(tmp_path, trained, content):
    (tmp_path / "source.json").write_text(content)
    with pytest.raises(UserError, match=r"source\.json: is not the note of a file that was fetched"):
        load_network(write(tmp_path, trained), **FLAGS)


def test_places(tmp_path, trained):
    path = write(tmp_path, trained, config=CONFIG)
    assert locate_checkpoint(tmp_path.name, save_root=tmp_path.parent) == path
    best = path.rename(tmp_path / "best_checkpoint.pth.tar")
    assert locate_checkpoint(best) == best
    with pytest.raises(UserError, match=r"no checkpoint there.*last_checkpoint"):
        locate_checkpoint(tmp_path)


class Trap:
    """An object whose unpickling would write a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


@pytest.mark.parametrize("old_format", [False, True])
def test_code_is_never_run(tmp_path, trained, old_format):
    path = tmp_path / "last_checkpoint.pth.tar"
    content = {"state_dict": trained.state_dict(), "architecture": Trap(tmp_path / "ran")}
    torch.save(content, path, _use_new_zipfile_serialization=not old_format)
    with pytest.raises(UserError, match=r"refused.*run code"):
        load_network(path, **FLAGS)
    path.write_bytes(pickle.dumps(Trap(tmp_path / "ran")))
    with pytest.raises(UserError):
        load_network(path, **FLAGS)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("old_format", [False, True])
@pytest.mark.parametrize("kept", [0, 1, 100, 0.5, 0.999])
def test_truncated_files_are_named(tmp_path, trained, old_format, kept):
    path = tmp_path / "last_checkpoint.pth.tar"
    torch.save({"state_dict": trained.state_dict()}, path, _use_new_zipfile_serialization=not old_format)
    content = path.read_bytes()
    path.write_bytes(content[: kept if isinstance(kept, int) else int(kept * len(content))])
    with pytest.raises(UserError, match=r"last_checkpoint\.pth\.tar: (truncated|damaged)"):
        read_checkpoint(path)


def test_damaged_bytes_inside_are_noticed_or_harmless(tmp_path):
    path = tmp_path / "last_checkpoint.pth.tar"
    torch.save({"state_dict": {"a": torch.arange(50.0)}, "epoch": 3}, path)
    content = path.read_bytes()
    generator = torch.Generator().manual_seed(0)
    outcomes = set()
    for position in torch.randint(len(content), (200,), generator=generator).tolist():
        path.write_bytes(content[:position] + bytes([content[position] ^ 255]) + content[position + 1 :])
        try:
            read_checkpoint(path)
            outcomes.add("read")
        except UserError:
            outcomes.add("refused")
    assert "refused" in outcomes


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"epoch": 1}, "no 'state_dict'"),
        ([1, 2], "no 'state_dict'"),
        ({"state_dict": {}}, "no 'state_dict'"),
        ({"state_dict": {"a": 1}}, "no 'state_dict'"),
        ({"state_dict": {"a": torch.ones(1)}}, "no conv_last"),
        ({"state_dict": {"a": torch.ones(1)}, "format_version": 9}, "newer version"),
        ({"state_dict": {"a": torch.ones(1)}, "config": [1]}, "'config'"),
    ],
)
def test_other_content_is_named(tmp_path, content, message):
    torch.save(content, tmp_path / "last_checkpoint.pth.tar")
    with pytest.raises(UserError, match=message):
        load_network(tmp_path, architecture="resnet18", **FLAGS)


def test_a_start_from_another_task_takes_the_trunk(tmp_path, trained):
    other = build_network("resnet18", "CAM", 9)
    before = {name: tensor.clone() for name, tensor in other.state_dict().items()}
    path = write(tmp_path, trained)
    with pytest.raises(UserError, match=r"conv_last.weight has shape"):
        load_matching(other, path)
    assert all(torch.equal(tensor, before[name]) for name, tensor in other.state_dict().items())
    kept = load_matching(other, path, skip=("conv_last.",))
    assert sorted(kept) == ["conv_last.bias", "conv_last.weight"]
    assert torch.equal(other.layer4[1].conv2.weight, trained.layer4[1].conv2.weight)
    assert torch.equal(other.conv_last.weight, before["conv_last.weight"])
    partial = {name: tensor for name, tensor in trained.state_dict().items() if not name.startswith("layer3.")}
    torch.save({"state_dict": partial | {"fc.weight": torch.ones(2)}}, path)
    with pytest.raises(UserError, match="lacks"):  # half a trunk would be a random trunk
        load_matching(other, path, skip=("conv_last.",))
