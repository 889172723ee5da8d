"""``import calm``: load, explain and attribute with pictures in memory, and what a Python user may get wrong."""

import copy
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image
from torch import nn

import calm
from calm.attribution import build_attribution
from calm.errors import UserError
from calm.explaining import Explain
from calm.networks import build_network
from tests.explained import made_up_picture
from tests.test_explain import NAMES, SIZE, save_checkpoint


@pytest.fixture(scope="module")
def run(tiny_trunk, tmp_path_factory) -> Path:
    """A run folder of an untrained CALM_EM network."""
    return save_checkpoint(tmp_path_factory.mktemp("save") / "CALM_EM", "CALM_EM")


@pytest.fixture(scope="module")
def network(run):
    return calm.load(run)


@pytest.fixture
def picture() -> Image.Image:
    return made_up_picture()


def test_importing_the_package_imports_no_torch():
    code = "import calm, sys; print('torch' in sys.modules, 'load' in dir(calm))"
    repository = Path(calm.__file__).resolve().parent.parent
    done = subprocess.run([sys.executable, "-c", code], cwd=repository, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]


def test_a_loaded_network_knows_its_classes_and_makes_its_input(network, run, picture):
    assert isinstance(network, nn.Module) and not network.training
    assert network.class_names == NAMES
    assert calm.load(run / "last_checkpoint.pth.tar").class_names == NAMES
    grey = picture.convert("L")
    batch = network.transform([picture, grey])
    assert batch.shape == (2, 3, SIZE, SIZE) and network.transform(picture).shape == (1, 3, SIZE, SIZE)
    resized = np.asarray(picture.resize((SIZE, SIZE), Image.Resampling.BILINEAR), dtype=np.float32) / 255
    expected = (resized - np.float32(network.mean)) / np.float32(network.std)
    np.testing.assert_allclose(batch[0].permute(1, 2, 0).numpy(), expected, rtol=1e-5, atol=1e-6)
    assert network(batch).log_p_y.shape == (2, 4)
    assert picture.size == (120, 90)


def test_explanations_hold_maps_probabilities_and_an_overlay(network, picture):
    first, second = network.explain(
        [picture, picture], target="Summer Tanager", versus=[0, "indigo bunting"], subset=[0, 2]
    )
    images = network.transform(picture)
    with torch.inference_mode():
        output = network(images)
    np.testing.assert_allclose(first.p_y, output.log_p_y[0].exp(), rtol=1e-4)
    np.testing.assert_allclose(first.maps["joint"], output.log_joint[0, 2].exp(), rtol=1e-4)
    np.testing.assert_allclose(first.maps["subset"], output.log_joint[0, [0, 2]].exp().sum(dim=0), rtol=1e-4)
    joint = output.log_joint[0].exp()
    np.testing.assert_allclose(second.maps["counterfactual"], joint[2] - joint[1], atol=1e-6)
    assert (first.question.target, first.question.versus, second.question.versus) == (2, 0, 1)
    for kind in first.kinds:
        assert first.overlay(kind).size == picture.size
    assert np.abs(np.asarray(first.overlay(), dtype=int) - np.asarray(picture)).max() > 20
    assert "Summer Tanager" in first.sentence("joint")


def test_a_network_in_training_mode_explains_as_in_evaluation_and_is_left_as_it_was(network, picture):
    wanted, state = network.explain(picture)[0].maps["joint"], copy.deepcopy(network.state_dict())
    network.train()
    try:
        found = network.explain([picture, picture.rotate(180)])[0].maps["joint"]
        assert network.training and network.bn1.training
        assert all(torch.equal(tensor, state[name]) for name, tensor in network.state_dict().items())
    finally:
        network.eval()
    np.testing.assert_allclose(found, wanted, rtol=1e-4)


def test_a_number_is_an_index_where_classes_are_called_by_numbers_too(network, picture):
    """As sorted folders 0, 1, 10, 2 are; a text is a name first."""
    explain = Explain(replace(network.explain.explainer, class_names=["0", "1", "10", "2"]))
    [by_index] = explain(picture, target=2, versus=torch.tensor(1), subset=[2, 3])
    assert (by_index.question.target, by_index.question.versus, by_index.question.subset) == (2, 1, (2, 3))
    [by_name] = explain(picture, target="2", versus="1", subset=["10", "2"])
    assert (by_name.question.target, by_name.question.versus, by_name.question.subset) == (3, 1, (2, 3))


def test_files_batches_and_single_pictures_are_explained_alike(network, picture, tmp_path):
    picture.save(tmp_path / "bird.png")
    [alone] = calm.explain(picture, network=network)
    [read] = calm.explain(tmp_path / "bird.png", network=network)
    [of_batch] = calm.explain(network.transform(picture), network=network)
    assert read.image_id == "bird.png" and of_batch.picture.size == (SIZE, SIZE)
    for other in (read, of_batch):
        assert other.question == alone.question
        np.testing.assert_array_equal(other.maps["joint"], alone.maps["joint"])
    assert alone.question.target == alone.p_y.argmax()


def test_a_turned_photograph_is_upright_as_a_file_and_in_memory(network, picture, tmp_path):
    turned = Image.Exif()
    turned[0x0112] = 6  # to be turned by 90 degrees clockwise
    picture.save(tmp_path / "turned.png", exif=turned)
    in_memory = network.explain(Image.open(tmp_path / "turned.png"))[0]
    for other in (network.explain(tmp_path / "turned.png")[0], network.explain(picture.rotate(-90, expand=True))[0]):
        np.testing.assert_allclose(in_memory.p_y, other.p_y, atol=1e-6)
        assert in_memory.size == other.size == picture.size[::-1]


@pytest.mark.parametrize("side", [SIZE, 2 * SIZE])
def test_cells_of_a_batch_lie_where_the_network_looks_whatever_its_side(network, side):
    [explanation] = network.explain(torch.randn(1, 3, side, side))
    stride, offset = network.cell_stride, network.cell_offset  # pixel 0 is centred at 0
    peak = explanation.summary()["peak"]
    middles = [offset + 0.5 + stride * peak[name] for name in ("column", "row")]
    edges = [np.clip(middle + half, 0, side) for half in (-stride / 2, stride / 2) for middle in middles]
    assert peak["box"] == pytest.approx(edges) and explanation.input_size == side


def test_a_copy_of_a_loaded_network_explains_itself(network, picture):
    other = copy.deepcopy(network)
    assert other.explain.explainer.network is other
    with torch.no_grad():
        other.conv_last.weight.zero_()
        other.conv_last.bias.zero_()
    np.testing.assert_allclose(other.explain(picture)[0].p_y, 0.25, rtol=1e-5)
    assert network.explain(picture)[0].p_y.max() > 0.25
    assert set(network.state_dict()) == set(build_network("tiny", "CALM_EM", 4).state_dict())


def test_attribute_gives_raw_maps(network, picture):
    images, targets = network.transform([picture, picture]), torch.tensor([0, 3])
    for name, options in (("joint", {}), ("gradient", {}), ("counterfactual", {"versus": 1})):
        expected = build_attribution(name, **options)(network, images, targets)
        torch.testing.assert_close(calm.attribute(name, network, images, targets, **options), expected)


def test_a_stock_classifier_by_name(picture):
    network = calm.load("torchvision:resnet18", pretrained=False)
    assert len(network.class_names) == 1000 and network.transform.size == 224 and network.method == "CAM"
    [explanation] = network.explain(picture)
    assert explanation.maps["cam"].shape == (7, 7) and explanation.p_y.sum() == pytest.approx(1, abs=1e-4)
    assert "leave `large_feature_map` out" in wrong(lambda: calm.load("timm:resnet18", large_feature_map=True))


def test_a_file_of_a_stock_classifier(picture, tmp_path):
    model = torchvision.models.resnet18(num_classes=3).eval()
    torch.save(model.state_dict(), tmp_path / "mine.pth")
    network = calm.load(tmp_path / "mine.pth", architecture="resnet18")
    assert network.class_names == ["0", "1", "2"] and network.architecture == "torchvision:resnet18"
    images = network.transform(picture)
    with torch.no_grad():
        torch.testing.assert_close(network(images).class_scores, model(images), rtol=1e-4, atol=1e-4)
    assert calm.load(tmp_path / "mine.pth", architecture="resnet18", crop_size=112).transform.size == 112
    assert "give `architecture`" in wrong(lambda: calm.load(tmp_path / "mine.pth"))


@pytest.mark.parametrize("classes", [3, 1000])
def test_a_file_of_a_stock_classifier_is_shown_images_of_its_own_size(tmp_path, classes):
    timm = pytest.importorskip("timm", reason="timm is not installed (requirements-dev.txt)")
    model = timm.create_model("test_efficientnet", num_classes=classes)
    torch.save(model.state_dict(), tmp_path / "mine.pth")
    network = calm.load(tmp_path / "mine.pth", architecture="timm:test_efficientnet")
    assert network.transform.size == model.pretrained_cfg["input_size"][-1] == 160
    assert network.num_classes == classes


def wrong(call) -> str:
    """The one sentence of an error in a Python user's words."""
    with pytest.raises(UserError) as caught:
        call()
    message = str(caught.value)
    assert "\n" not in message and "--" not in message
    return message


def test_wrong_arguments_of_attribute(network, picture):
    images, targets = network.transform(picture), torch.tensor([0])

    def attribute(*, images=images, targets=targets, network=network, name="joint", **options):
        return lambda: calm.attribute(name, network, images, targets, **options)

    assert "`images` should be a tensor" in wrong(attribute(images=[picture]))
    assert "no batch axis" in wrong(attribute(images=images[0]))
    assert "[B,3,H,W], not [1, 1, 48, 48]" in wrong(attribute(images=images[:, :1]))
    assert "torch.uint8" in wrong(attribute(images=images.byte()))
    assert "image 0 holds NaN" in wrong(attribute(images=images * float("nan")))
    assert "torch.float64, and the network's weights torch.float32" in wrong(attribute(images=images.double()))
    assert "torch.float64, and the network's weights" in wrong(lambda: network.explain(images.double()))
    assert "on meta, and the network's weights on cpu" in wrong(attribute(images=images.to("meta")))
    assert "`targets` should be a tensor" in wrong(attribute(targets=[0]))
    assert "from 0 to 3" in wrong(attribute(targets=torch.tensor([4])))
    assert "from 0 to 3" in wrong(attribute(targets=torch.tensor([-1])))
    assert "integers" in wrong(attribute(targets=torch.tensor([0.0])))
    assert "each of 1 images" in wrong(attribute(targets=torch.tensor([0, 1])))
    for versus in (4, -1, torch.tensor([4])):
        assert "`versus` has class" in wrong(attribute(name="counterfactual", versus=versus))
        assert "from 0 to 3" in wrong(attribute(name="finercam", versus=versus))
    assert "`versus` should hold integers" in wrong(attribute(name="counterfactual", versus=1.5))
    assert "`versus` should hold integers" in wrong(attribute(name="counterfactual", versus=True))
    assert "`versus` should be a tensor" in wrong(attribute(name="counterfactual", versus="1"))
    assert "each of 1 images" in wrong(attribute(name="finercam", versus=torch.tensor([0, 1])))
    assert "`network`" in wrong(attribute(network="save/demo"))
    assert "choose from" in wrong(attribute(name="jointt"))
    assert "`name`" in wrong(attribute(name=None))


def test_wrong_arguments_of_explain_and_load(network, picture, tmp_path):
    assert "`network` is missing" in wrong(lambda: calm.explain(picture))
    assert "calm.load" in wrong(lambda: calm.explain(picture, network=build_network("resnet18", "CAM", 2)))
    assert "from 0 to 3" in wrong(lambda: network.explain(picture, target=4))
    assert "no such class" in wrong(lambda: network.explain(picture, versus="Crow"))
    assert "each of 1 images" in wrong(lambda: network.explain(picture, target=[0, 1]))
    assert "`target`" in wrong(lambda: network.explain(picture, target=1.5))
    assert "choose another" in wrong(lambda: network.explain(picture, target=1, versus=1))
    assert "`subset` is empty" in wrong(lambda: network.explain(picture, subset=[]))
    assert "`images` is empty" in wrong(lambda: network.explain([]))
    assert "PIL image" in wrong(lambda: network.explain(np.zeros((4, 4, 3))))
    assert "PIL image" in wrong(lambda: network.transform(torch.zeros(3, 4, 4)))
    assert "8 bits" in wrong(lambda: network.transform(Image.new("I;16", (4, 4))))
    assert "no batch axis" in wrong(lambda: network.explain(torch.zeros(3, 4, 4)))
    assert "square, not 48 x 96" in wrong(lambda: network.explain(torch.zeros(1, 3, 48, 96)))
    assert "`source`" in wrong(lambda: calm.load(tmp_path / "absent"))
    assert "`source`" in wrong(lambda: calm.load(3))
