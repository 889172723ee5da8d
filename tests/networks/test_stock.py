"""Stock classifiers become CAM networks with the scores of the original; others are told why not."""

import pytest
import timm
import torch
import torchvision
from safetensors.torch import save_file
from torch import nn

from calm.errors import UserError
from calm.networks import build_network, load_network
from calm.networks.checkpoint import load_matching
from calm.networks.stock import cam_network, published_classifier
from calm.networks.trunks.feature_maps import layout_of
from calm.networks.trunks.options import TrunkOptions
from calm.networks.trunks.torchvision_trunk import front_of, input_of, trunk_of_torchvision

CLASSES = 5
SAME_SCORES = (
    "torchvision:resnet18",
    "torchvision:densenet121",
    "torchvision:mobilenet_v2",
    "torchvision:efficientnet_b0",
    "torchvision:googlenet",
    "torchvision:shufflenet_v2_x0_5",
    "torchvision:regnet_y_400mf",
    "timm:test_efficientnet",
    "timm:test_resnet",
    "timm:regnetx_002",
    "timm:swin_tiny_patch4_window7_224,depths=(1,1,1,1),embed_dim=16,num_heads=(1,2,2,2),strict_img_size=False",
)


def original(architecture: str) -> nn.Module:
    """The classifier itself, in evaluation mode, every weight and statistic away from its first value."""
    family, _, name = architecture.partition(":")
    torch.manual_seed(0)
    if family == "torchvision":
        options = {"aux_logits": True, "init_weights": False} if name == "googlenet" else {}
        model = torchvision.models.get_model(name, weights=None, num_classes=CLASSES, **options)
    else:
        name, _, words = name.partition(",")
        model = timm.create_model(name, num_classes=CLASSES, **eval(f"dict({words})"))
    return shaken(model)


def shaken(model: nn.Module) -> nn.Module:
    """Other weights and batch-norm statistics than the first, activations kept in range."""
    generator = torch.Generator().manual_seed(1)
    for name, tensor in model.state_dict().items():
        if name.endswith("running_var"):
            tensor.uniform_(0.5, 1.5, generator=generator)
        elif name.endswith("running_mean") or (tensor.ndim == 1 and tensor.is_floating_point()):
            tensor.add_(0.1 * torch.randn(tensor.shape, generator=generator))
        elif tensor.ndim > 1 and not bool(tensor.abs().max() > 1e-3):
            tensor.normal_(0, 0.1, generator=generator)
    last = [layer for layer in model.modules() if isinstance(layer, nn.Linear)][-1]
    nn.init.normal_(last.weight, std=last.in_features**-0.5, generator=generator)
    return model.eval()


@pytest.mark.parametrize("architecture", SAME_SCORES)
def test_scores_are_those_of_the_original(architecture):
    model = original(architecture)
    network = cam_network(architecture, model.state_dict(), source="the file")
    images = torch.randn(2, 3, 96, 96, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        expected, output = model(images), network(images)
    assert expected.std() > 1e-3
    torch.testing.assert_close(output.class_scores, expected, rtol=1e-4, atol=1e-4)
    assert output.class_maps.shape == (2, CLASSES, 3, 3) and not network.training and network.cell_stride == 32


@pytest.mark.parametrize(
    ("architecture", "reason"),
    [
        ("torchvision:mobilenet_v3_small", "its Linear come after the mean"),
        ("timm:test_convnext", "its LayerNorm2d come after the mean"),
        ("timm:test_vit", "it reads a class token"),
        ("vgg16", "layers of its own in front of its classes.*torchvision:vgg16"),
    ],
)
def test_other_heads_are_said_to_be_none(architecture, reason):
    with pytest.raises(UserError, match=reason):
        published_classifier(architecture, pretrained=False)


def test_files_in_every_usual_layout(tmp_path):
    model = original("timm:test_resnet")
    state = model.state_dict()
    torch.save(state, tmp_path / "alone.pth")
    torch.save({"model": {f"module.{name}": tensor for name, tensor in state.items()}}, tmp_path / "torchvision.pth")
    torch.save({"state_dict": state, "arch": "test_resnet"}, tmp_path / "timm.pth.tar")
    save_file(state, tmp_path / "weights.safetensors")
    images = torch.randn(1, 3, 64, 64)
    for path in tmp_path.iterdir():
        network, config = load_network(path, architecture="timm:test_resnet", dataset="folder")
        with torch.no_grad():
            torch.testing.assert_close(network(images).class_scores, model(images), rtol=1e-4, atol=1e-4)
        assert config.architecture == "timm:test_resnet,output_stride=32" and config.attribution_method == "CAM"
    for options, words in (
        ({}, "give `architecture`"),
        ({"architecture": "timm:test_efficientnet"}, "has no classifier.weight"),
        ({"architecture": "timm:test_resnet", "method": "CALM_EM"}, "leave `attribution_method` out"),
        ({"architecture": "timm:test_resnet", "num_classes": 9}, "has 5 classes, not 9"),
    ):
        with pytest.raises(UserError, match=words):
            load_network(path, **options)


def test_a_run_starts_from_a_stock_classifier(tmp_path):
    state = original("timm:test_resnet").state_dict()
    torch.save(state, tmp_path / "stock.pth")
    network = build_network("timm:test_resnet", "CALM_EM", CLASSES)
    prior = network.attention[0].weight.clone()
    kept = load_matching(network, tmp_path / "stock.pth")
    assert sorted(kept) == ["attention.0.bias", "attention.0.weight"]
    assert torch.equal(network.attention[0].weight, prior)
    assert torch.equal(network.conv_last.weight.flatten(1), state["fc.weight"])
    assert torch.equal(network.trunk.conv1[0].weight, state["conv1.0.weight"])
    with pytest.raises(UserError, match=r"conv_last\.weight has shape"):
        load_matching(build_network("timm:test_resnet", "CALM_EM", 3), tmp_path / "stock.pth")
    load_matching(build_network("timm:test_resnet", "CAM", 3), tmp_path / "stock.pth", skip=("conv_last.",))


@pytest.mark.parametrize(("name", "stride"), [("squeezenet1_1", 16), ("alexnet", 32)])
def test_features_of_torchvision_are_those_in_front_of_the_classes_and_of_pools_to_a_size(name, stride):
    model = torchvision.models.get_model(name, weights=None, num_classes=1).eval()
    front = front_of(model).module
    images = torch.randn(1, 3, 96, 128)
    with torch.no_grad():
        assert torch.equal(front(images), model.features(images))
        assert layout_of(front, channels=None, first_tokens=0, sides=(96, 224)).stride == stride


def test_a_trunk_whose_classifier_is_convolutional_has_its_features():
    network = build_network("torchvision:squeezenet1_1", "CALM_EM", 3)
    assert network.channels == 512 and network.cell_offset == pytest.approx(15, abs=2)  # four windows of 3, unpadded


HALVES = (0.5, 0.5, 0.5)


@pytest.mark.parametrize(
    ("name", "side", "mean", "std"),
    [
        ("resnet18", 224, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ("efficientnet_b1", 240, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ("efficientnet_v2_l", 480, HALVES, HALVES),
        ("googlenet", 224, HALVES, HALVES),
        ("inception_v3", 299, HALVES, HALVES),
    ],
)
def test_images_are_of_the_size_and_scale_that_torchvision_s_weights_were_trained_on(name, side, mean, std):
    assert input_of(name) == (side, mean, std)


def test_a_trunk_of_torchvision_states_its_input():
    network = trunk_of_torchvision("efficientnet_b1")(TrunkOptions())
    assert (network.usual_size, network.mean, network.std) == input_of("efficientnet_b1")
