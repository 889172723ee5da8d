"""Trunks: names and shapes as published, the right strides, and torchvision's own arithmetic."""

import copy
import json

import pytest
import torch
import torch.nn.functional as F
import torchvision
from torch import nn

from calm.errors import UserError
from calm.networks import METHODS, TRUNKS, build_network
from calm.networks.parameter_groups import parameter_groups

CNNS = ("resnet50", "vgg16", "inception_v3", "resnet18")


def on_meta(architecture, method="CALM_EM", num_classes=200, **options):
    with torch.device("meta"):
        return build_network(architecture, method, num_classes, **options)


def randomised(network):
    """Every weight and statistic away from its first value, activations kept in range."""
    generator = torch.Generator().manual_seed(0)
    for name, tensor in network.state_dict().items():
        if name.endswith("running_var"):
            tensor.uniform_(0.8, 1.2, generator=generator)
        elif tensor.ndim == 1:
            tensor.add_(0.1 * torch.randn(tensor.shape, generator=generator))
    return network.eval()


def images(size=64, count=2):
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(1))


def test_names_and_shapes_are_the_published_ones(test_data):
    published = json.loads((test_data / "released_state_dict_keys.json").read_text())
    for key, shapes in published.items():
        architecture, use_bn, large = key.split("|")
        for method in ("CAM", "CALM_ML", "CALM_EM"):
            network = on_meta(architecture, method, use_bn="True" in use_bn, large_feature_map="True" in large)
            assert {name: list(tensor.shape) for name, tensor in network.state_dict().items()} == shapes, key


@pytest.mark.parametrize("architecture", CNNS)
@pytest.mark.parametrize(("large", "side"), [(False, 14), (True, 28)])
def test_map_size_at_224(architecture, large, side):
    network = on_meta(architecture, large_feature_map=large)
    features = network.features(torch.empty(1, 3, 224, 224, device="meta"))
    assert features.shape == (1, network.channels, side, side)


@pytest.mark.parametrize(("name", "large"), [("resnet50", False), ("resnet50", True), ("resnet18", False)])
def test_resnet_is_torchvision_s_with_strides_removed(name, large):
    network = randomised(build_network(name, "CAM", 3, large_feature_map=large))
    reference = getattr(torchvision.models, name)(weights=None).eval()
    reference.load_state_dict(network.state_dict(), strict=False)
    for layer in (reference.layer3, reference.layer4) if large else (reference.layer4,):
        for module in layer[0].modules():
            if isinstance(module, nn.Conv2d):
                module.stride = (1, 1)
    reference.avgpool = nn.Identity()
    reference.fc = nn.Identity()
    with torch.no_grad():
        torch.testing.assert_close(network.features(images()).flatten(1), reference(images()))


@pytest.mark.parametrize("use_bn", [False, True])
@pytest.mark.parametrize("large", [False, True])
def test_vgg_is_convolutions_and_pools(use_bn, large):
    network = randomised(build_network("vgg16", "CAM", 3, large_feature_map=large, use_bn=use_bn))
    state = network.state_dict()
    x, position = images(32), 0
    with torch.no_grad():
        for block, count in enumerate((2, 2, 3, 3, 3), start=1):
            for _ in range(count):
                x = F.conv2d(x, state[f"features.{position}.weight"], state[f"features.{position}.bias"], padding=1)
                if use_bn:
                    x = normalised(x, state, f"features.{position + 1}")
                x = x.relu()
                position += 3 if use_bn else 2
            if block <= (3 if large else 4):
                x = F.max_pool2d(x, 2)
                position += 1
        x = F.conv2d(x, state["conv6.weight"], state["conv6.bias"], padding=1)
        x = (normalised(x, state, "bn6") if use_bn else x).relu()
        torch.testing.assert_close(network.features(images(32)), x)


def normalised(x, state, layer):
    statistics = (state[f"{layer}.running_mean"], state[f"{layer}.running_var"])
    return F.batch_norm(x, *statistics, state[f"{layer}.weight"], state[f"{layer}.bias"], eps=1e-5)


@pytest.mark.parametrize(
    ("large", "use_bn", "tap"), [(False, True, "mixed_6d"), (True, False, "mixed_6e"), (False, False, "mixed_6e")]
)
def test_inception_is_torchvision_s_with_other_strides(large, use_bn, tap):
    network = randomised(
        build_network("inception_v3", "CAM", 3, large_feature_map=large, use_bn=use_bn, inception_tap=tap)
    )
    reference = torchvision.models.inception_v3(weights=None, init_weights=False).eval()
    reference.load_state_dict(network.state_dict(), strict=False)
    reference.Conv2d_1a_3x3.conv.padding = (1, 1)
    with torch.no_grad():
        x = reference.Conv2d_2b_3x3(reference.Conv2d_2a_3x3(reference.Conv2d_1a_3x3(images(96))))
        x = nn.MaxPool2d(3, 2, padding=1, ceil_mode=True)(x)
        x = reference.Conv2d_4a_3x3(reference.Conv2d_3b_1x1(x))
        x = nn.MaxPool2d(3, 2, padding=1, ceil_mode=True)(x)
        x = reference.Mixed_5d(reference.Mixed_5c(reference.Mixed_5b(x)))
        if not large:
            x = nn.MaxPool2d(3, 2, padding=0, ceil_mode=True)(x)
        b = reference.Mixed_6a
        for convolution in (b.branch3x3.conv, b.branch3x3dbl_3.conv):
            convolution.stride, convolution.padding = (1, 1), (1, 1)
        double = b.branch3x3dbl_3(b.branch3x3dbl_2(b.branch3x3dbl_1(x)))
        x = torch.cat([b.branch3x3(x), double, nn.MaxPool2d(3, 1, padding=1)(x)], dim=1)
        x = reference.Mixed_6d(reference.Mixed_6c(reference.Mixed_6b(x)))
        x = reference.Mixed_6e(x) if tap == "mixed_6e" else x
        for block in ("A3_1b", "A3_2b"):
            x = F.conv2d(
                x, network.state_dict()[f"{block}.0.weight"], network.state_dict()[f"{block}.0.bias"], padding=1
            )
            x = (normalised(x, network.state_dict(), f"{block}.1") if use_bn else x).relu()
        torch.testing.assert_close(network.features(images(96)), x)
    assert network.Conv2d_1a_3x3.bn.eps == 1e-3 and all(b.eps == 1e-5 for b in network.A3_1b[1:2] if use_bn)


@pytest.mark.parametrize("architecture", [*TRUNKS, "timm:convnext_atto"])
@pytest.mark.parametrize("method", ["CAM", "CALM_ML", "CALM_EM"])
def test_every_trainable_parameter_gets_a_gradient(architecture, method):
    network = build_network(architecture, method, 3, inception_tap="mixed_6d").eval()
    METHODS[method][1](network(images(64)), torch.tensor([0, 2])).backward()
    for name, parameter in network.named_parameters():
        assert (parameter.grad is not None) == parameter.requires_grad, name
    frozen = {name.split(".")[0] for name, parameter in network.named_parameters() if not parameter.requires_grad}
    kept = {"attention"} if method == "CAM" else set()
    assert frozen - {"trunk"} == kept | ({"Mixed_6e"} if architecture == "inception_v3" else set())


def group_names(network, **options):
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    groups = parameter_groups(network, lr=0.01, classifier_ratio=10.0, **options)
    assert [group["lr"] for group in groups] == pytest.approx([0.01, 0.1])
    base, new = ({names[id(parameter)] for parameter in group["params"]} for group in groups)
    assert base | new == {name for name, parameter in network.named_parameters() if parameter.requires_grad}
    return base, new


@pytest.mark.parametrize(
    ("architecture", "new_layers"),
    [
        ("resnet50", {"layer4"}),
        ("vgg16", {"conv6", "bn6"}),
        ("inception_v3", {"A3_1b", "A3_2b"}),
        ("efficientnet_lite0", set()),
    ],
)
def test_new_layers_learn_faster(architecture, new_layers):
    network = build_network(architecture, "CALM_ML", 3, use_bn=True)
    base, new = group_names(network)
    assert {name.split(".")[0] for name in new} == new_layers | {"conv_last", "attention"}
    assert not base & new
    _, heads = group_names(network, all_trunk_at_lr=True)
    assert {name.split(".")[0] for name in heads} == {"conv_last", "attention"}


def test_released_groups_go_by_words():
    base, new = group_names(on_meta("resnet50"), rule="released")
    assert "layer4.0.conv1.weight" in base and "layer4.2.conv1.weight" in base and "conv1.weight" in base
    assert {"bn1.weight", "bn1.bias", "layer4.0.conv2.weight", "conv_last.bias", "attention.0.weight"} <= new
    assert not any(name.startswith(("layer1", "layer2", "layer3")) for name in new)
    for architecture in ("vgg16", "inception_v3", "efficientnet_lite0"):
        network = build_network(architecture, "CAM", 3)
        assert group_names(network, rule="released") == group_names(network, rule="module")
    with pytest.raises(UserError, match="module or released"):
        parameter_groups(network, lr=1.0, classifier_ratio=1.0, rule="names")


def test_first_weights():
    torch.manual_seed(0)
    resnet, vgg = build_network("resnet18", "CALM_EM", 50), build_network("vgg16", "CALM_EM", 50, use_bn=True)
    for network, layer in [(resnet, resnet.layer2[0].conv1), (vgg, vgg.conv6), (resnet, resnet.conv_last)]:
        fan_in, fan_out = layer.weight[0].numel(), layer.weight.numel() // layer.weight.shape[1]
        variance = 2 / fan_out if network is vgg else 2 / (fan_in + fan_out)
        assert layer.weight.var().item() == pytest.approx(variance, rel=0.05)
    assert not vgg.conv6.bias.any() and not resnet.conv_last.bias.any() and (resnet.bn1.weight == 1).all()
    assert resnet.layer2[0].conv1.weight.abs().max() <= (6 / (9 * 64 + 9 * 128)) ** 0.5
    assert vgg.conv6.weight.abs().max() > 3 * (2 / (9 * 1024)) ** 0.5  # normal, not uniform


@pytest.mark.parametrize("architecture", ["resnet18", "vgg16"])
def test_compiles_whole_copies_and_runs_in_bf16(architecture):
    network = build_network(architecture, "CALM_EM", 3, use_bn=True).eval()
    expected = network(images(32)).log_p_y
    compiled = torch.compile(network, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(images(32)).log_p_y, expected)
    converted = nn.SyncBatchNorm.convert_sync_batchnorm(copy.deepcopy(network))
    assert converted.state_dict().keys() == network.state_dict().keys()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = network(images(32))
    assert output.log_p_y.dtype == torch.float32
    torch.testing.assert_close(output.log_p_y, expected, atol=0.05, rtol=0.05)


@pytest.mark.parametrize("name", ["tf_efficientnet_lite0", "mobilenetv3_small_100", "convnext_atto", "resnet18"])
@pytest.mark.parametrize("large", [False, True])
def test_timm_trunks_keep_the_stride(name, large):
    network = build_network(f"timm:{name}", "CALM_ML", 5, large_feature_map=large).eval()
    side = 8 if not large else 16
    with torch.no_grad():
        output = network(images(128, count=1))
    assert output.class_logits.shape == (1, 5, side, side)
    assert output.log_p_y.exp().sum().item() == pytest.approx(1, abs=1e-5)
    assert len(network.mean) == len(network.std) == 3 and network.training is False


def cell_by_cell(given, first_tokens, side):
    """[B,C,side,side] filled in a loop from tokens [B,n,C] or a map [B,side,side,C]."""
    features = torch.empty(len(given), given.shape[-1], side, side)
    for row in range(side):
        for column in range(side):
            here = given[:, row, column] if given.ndim == 4 else given[:, first_tokens + row * side + column]
            features[:, :, row, column] = here
    return features


@pytest.mark.parametrize(
    ("name", "first_tokens", "stride"),
    [
        ("test_vit,depth=1", 1, 16),
        ("vit_small_patch14_reg4_dinov2,depth=1,embed_dim=32,num_heads=2", 5, 14),
        ("deit_tiny_distilled_patch16_224,depth=1", 2, 16),
        ("eva02_tiny_patch14_224,depth=1", 1, 14),
        ("swin_tiny_patch4_window7_224,patch_size=2,depths=(1,1,1),num_heads=(2,2,2),embed_dim=16,window_size=4", 0, 8),
    ],
)
def test_tokens_become_a_grid_and_channels_come_first(name, first_tokens, stride):
    size = 4 * stride
    network = build_network(f"timm:{name}", "CALM_EM", 3, crop_size=size).eval()
    with torch.no_grad():
        expected = cell_by_cell(network.trunk.forward_features(images(size)), first_tokens, 4)
        torch.testing.assert_close(network.features(images(size)), expected)
    assert (network.cell_stride, network.cell_offset) == (stride, (stride - 1) / 2)
    assert not network.dropout_places and network.guidance_places is None
    METHODS["CALM_EM"][1](network(images(size)), torch.tensor([0, 2])).backward()
    assert all((parameter.grad is not None) == parameter.requires_grad for parameter in network.parameters())


@pytest.mark.parametrize("name", ["test_coatnet", "densenet121,growth_rate=4,block_config=(1,1,1,1)"])
def test_maps_keep_the_stride_that_a_network_has(name):
    network = build_network(f"timm:{name}", "CAM", 3, crop_size=96).eval()
    with torch.no_grad():
        torch.testing.assert_close(network.features(images(96)), network.trunk.forward_features(images(96)))
    assert network.cell_stride == 32 and network(images(96)).class_maps.shape == (2, 3, 3, 3)


def test_finer_cells_are_those_before_the_last_stage():
    network = build_network("timm:densenet121,growth_rate=4,block_config=(1,1,1,1)", "CAM", 3, large_feature_map=True)
    stem = network.eval().trunk.features
    x = images(64)
    with torch.no_grad():
        for name, layer in stem.named_children():
            if name == "transition3":
                break
            x = layer(x)
        torch.testing.assert_close(network.features(images(64)), x)
    assert network.cell_stride == 16
    with pytest.raises(UserError, match=r"^`large_feature_map`: .* cells of 16 pixels and no finer ones"):
        build_network("timm:test_vit", "CAM", 3, large_feature_map=True)


def test_an_image_size_that_does_not_fit_is_one_sentence():
    with pytest.raises(UserError, match=r"`crop_size`=100 takes no images of that size .*divisible by patch size"):
        build_network("timm:test_vit", "CAM", 3, crop_size=100)
    network = build_network("timm:test_coatnet", "CAM", 3, crop_size=64)
    with pytest.raises(UserError, match=r"`crop_size`: .* no images of 96 x 96 pixels"):
        network(images(96))


def test_position_embeddings_of_a_file_are_fitted_to_the_image_size(tmp_path):
    timm = pytest.importorskip("timm")
    whole = randomised(timm.create_model("test_vit", img_size=64))
    torch.save(whole.state_dict(), tmp_path / "vit.pth")
    options = {"pretrained": True, "pretrained_path": tmp_path / "vit.pth"}
    same = build_network("timm:test_vit", "CAM", 3, crop_size=64, **options).eval()
    with torch.no_grad():
        expected = whole.forward_features(images(64))[:, 1:]
        torch.testing.assert_close(same.features(images(64)).flatten(2).mT, expected)
    larger = build_network("timm:test_vit", "CAM", 3, crop_size=96, **options).trunk
    assert larger.pos_embed.shape == (1, 37, 64) and torch.equal(larger.cls_token, whole.cls_token)
    torch.testing.assert_close(
        larger.pos_embed[:, 1:].mean(dim=1), whole.pos_embed[:, 1:].mean(dim=1), atol=0.02, rtol=0
    )


def test_lite0_has_the_input_scale_of_its_weights():
    network = build_network("EfficientNet-Lite0", "CAM", 2)
    white = [(1 - mean) / std for mean, std in zip(network.mean, network.std)]
    assert white == pytest.approx([(255 - 127) / 128] * 3)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("timm:coat_lite_tiny,depths=7", "cannot be built"),
        ("timm:test_vit,depth", "'depth' should be an option of timm"),
        ("timm:test_vit,num_classes=3", "'num_classes=3' should be an option of timm"),
        ("timm:test_convnext,output_stride=8", "`large_feature_map` 8"),
        ("timm:resnet1", "no such model.*resnet1"),
        ("resnet51", "resnet50, vgg16, inception_v3.*timm:NAME"),
    ],
)
def test_unfit_trunks_are_named(name, message):
    with pytest.raises(UserError, match=message):
        build_network(name, "CAM", 2)


def test_names_are_tolerant_and_wrong_ones_listed():
    assert on_meta("ResNet18", "calm-em").method == "CALM_EM"
    assert on_meta("Inception-v3", "CAM").architecture == "inception_v3"
    for options, message in [
        ({"method": "CALM"}, "CAM, CALM_ML, CALM_EM"),
        ({"prior_activation": "exp"}, "softplus, relu"),
        ({"inception_tap": "mixed_7a"}, "mixed_6d or mixed_6e"),
        ({"num_classes": 0}, "at least one class"),
    ]:
        with pytest.raises(UserError, match=message):
            on_meta("resnet18", **options)


def test_head_dropout_stands_before_each_of_inceptions_last_three_convolutions():
    torch.manual_seed(0)
    network = build_network("inception_v3", "CAM", 3, head_dropout=0.5).train()
    inputs: dict[str, float] = {}
    for name in ("A3_1b", "A3_2b", "conv_last"):
        network.get_submodule(name).register_forward_hook(
            lambda module, images, output, name=name: inputs.update({name: float((images[0] == 0).float().mean())})
        )
    images = torch.randn(2, 3, 64, 64)
    network(images)
    training = dict(inputs)
    network.eval()(images)
    assert all(training[name] - inputs[name] > 0.2 for name in inputs), (training, inputs)  # half of what was not 0
    torch.manual_seed(0)
    plain = build_network("inception_v3", "CAM", 3).eval()
    plain.load_state_dict(network.state_dict())
    assert torch.equal(network(images).class_maps, plain(images).class_maps)
    state = torch.random.get_rng_state()
    plain.train()(images)
    assert torch.equal(torch.random.get_rng_state(), state)  # without the option nothing is drawn


@pytest.mark.parametrize(
    ("architecture", "method", "share", "words"),
    [
        ("resnet18", "CAM", 0.5, "resnet18 has no dropout"),
        ("inception_v3", "ACoL", 0.5, "ACoL's"),
        ("inception_v3", "CAM", 1.0, r"should lie in \[0, 1\)"),
    ],
)
def test_head_dropout_where_it_has_no_place(architecture, method, share, words):
    with pytest.raises(UserError, match=words):
        build_network(architecture, method, 3, head_dropout=share)
