"""make_figures.py: which images are shown, what is drawn of them, and both commands end to end."""

from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.metrics import average_precision_score

import make_figures
from data_loaders import synthbirds
from data_loaders.cub_cues import NO_PART, ClassPair
from errors import UserError, run
from explanation.contrast import Contrast, average_precision, contrast_figure, counterfactual_map
from explanation.examples import choose_contrasts, correct_images
from explanation.figure import enlarge
from explanation.strip import strip_figure
from networks import build_network
from tests.explained import made_up
from tests.tiny_networks import tiny_batch, tiny_network


class Records:
    """A data set of the given classes; image i is filled with i."""

    def __init__(self, targets):
        self.records = [SimpleNamespace(target=target) for target in targets]

    def __len__(self):
        return len(self.records)

    def __getitem__(self, index):
        return torch.full((3, 2, 2), float(index)), self.records[index].target, index


def test_correct_images_are_those_that_every_network_gets_right():
    targets = [0, 1, 2, 0, 1, 2, 0]
    always = [lambda images, k=k: SimpleNamespace(log_p_y=torch.eye(3)[[k] * len(images)].log()) for k in (0, 1)]
    by_index = [torch.tensor(targets), torch.tensor([0, 1, 1, 0, 2, 2, 1])]
    read = [lambda images, t=t: SimpleNamespace(log_p_y=torch.eye(3)[t[images[:, 0, 0, 0].long()]]) for t in by_index]
    assert correct_images(read, Records(targets), torch.device("cpu")) == [0, 1, 3, 5]
    with pytest.raises(UserError, match="train longer"):
        correct_images(always, Records(targets), torch.device("cpu"))


def part_maps(index):
    """Image i shows part i % 3 in a third of its pixels, the even ones part 4 too."""
    parts = np.full((6, 6), NO_PART, dtype=np.uint8)
    parts[:2] = index % 3
    parts[4:] = 4 if index % 2 == 0 else NO_PART
    return parts, np.isin(range(7), parts)


def test_contrasts_show_every_differing_part():
    dataset = Records([0, 0, 0, 0, 0, 0, 1, 1, 1])
    pairs = [ClassPair(0, 1, (0,)), ClassPair(0, 2, (1,)), ClassPair(1, 2, (5,)), ClassPair(0, 3, (0, 4))]
    for seed in range(5):
        chosen = choose_contrasts(pairs, dataset, part_maps, range(9), rows=2, seed=seed)
        assert chosen == choose_contrasts(pairs, dataset, part_maps, range(9), rows=2, seed=seed)
        assert {pair for pair, _ in chosen} == {pairs[0], pairs[1], pairs[3]}
        assert all(index in {pairs[0]: (0, 3), pairs[1]: (1, 4), pairs[3]: (0,)}[pair] for pair, index in chosen)
    assert len(choose_contrasts(pairs, dataset, part_maps, range(9), rows=1, seed=0)) == 2
    with pytest.raises(UserError, match="no correctly classified"):
        choose_contrasts(pairs, dataset, part_maps, [2, 8], rows=1, seed=0)


def test_counterfactual_map_is_the_difference_of_the_two_classes():
    network, (images, _) = tiny_network("CALM_EM"), tiny_batch()
    joint = network(images[:1]).log_joint.exp()[0].detach().numpy()
    ours = counterfactual_map(network, "joint", images[0], 3, 1)
    np.testing.assert_allclose(ours, joint[3] - joint[1], rtol=1e-4, atol=1e-7)


def test_average_precision_is_scikit_learn_s():
    rng = np.random.default_rng(0)
    values, cue = rng.standard_normal((7, 7)), rng.random((20, 20)) < 0.2
    expected = average_precision_score(cue.ravel(), np.abs(enlarge(values, (20, 20))).ravel())
    assert average_precision(values, cue) == pytest.approx(100 * expected, abs=1e-4)


def test_zero_is_white_positive_red_negative_blue():
    values = np.zeros((4, 4))
    values[0, 0], values[3, 3] = 1.0, -1.0
    cue = np.zeros((64, 64), dtype=bool)
    cue[:16, :16] = True
    white = Image.new("RGB", (64, 64), "white")
    figure = contrast_figure([Contrast(white, cue, "A", "B", ["head"], {"M": values})])
    pale, drawn = figure.axes[2].images
    assert drawn.norm.vmin == -drawn.norm.vmax
    colours, weight = drawn.cmap(drawn.norm(drawn.get_array())), drawn.get_alpha()
    under = plt.get_cmap("gray")(pale.get_array())[..., :3]
    seen = colours[..., :3] * weight + under * (1 - weight)
    assert (seen[24:40, 24:40] > 0.95).all()
    assert seen[0, 0, 0] > 1.5 * seen[0, 0, 2] and seen[-1, -1, 2] > 1.5 * seen[-1, -1, 0]


def test_the_strip_names_both_classes():
    explanation = made_up()
    figure = strip_figure(explanation)
    assert len(figure.axes) == 6 + 5
    words = " ".join(text.get_text() for text in figure.texts)
    assert "Painted Bunting" in words and "rather than Summer" in words.replace("\n", " ")
    titles = [axis.get_title() for axis in figure.axes if axis.get_title()]
    assert titles == ["Input", "Attribution", "Conditional", "Saliency", "Subset", "Counterfactual"]


@pytest.fixture(scope="module")
def birds(tmp_path_factory):
    """Drawn birds, and untrained networks CAM and CALM_EM for them in run folders."""
    folder = tmp_path_factory.mktemp("birds")
    roots = {"data_root": str(folder / "dataset"), "metadata_root": str(folder / "metadata")}
    counts = {"train_per_class": 1, "val_per_class": 1, "test_per_class": 2}
    synthbirds.generate(**roots, num_classes=4, image_size=48, seed=0, **counts)
    for method in ("CAM", "CALM_EM"):
        network = build_network("resnet18", method, 4)
        config = {"attribution_method": method, "large_feature_map": True, "dataset_name": "SynthBirds"} | roots
        config |= {"crop_size": 48, "resize_size": 48, "prior_activation": "softplus"}
        content = {"architecture": "resnet18", "state_dict": network.state_dict(), "config": config}
        (folder / method).mkdir()
        torch.save(content, folder / method / "last_checkpoint.pth.tar")
    return folder


def test_both_figures_by_one_command_each(birds, tmp_path, monkeypatch):
    monkeypatch.setattr(make_figures, "correct_images", lambda networks, dataset, device: range(len(dataset)))
    monkeypatch.setattr(make_figures, "BASELINES", {"Gradient": "gradient"})
    words = [f"--save_root={birds}", "--load_checkpoint"]
    make_figures.main(["figure3", f"--out={tmp_path}/three.png", *words, "CALM_EM"])
    make_figures.main(["figure4", f"--out={tmp_path}/four.pdf", "--rows=1", *words, "CAM", "CALM_EM"])
    assert Image.open(tmp_path / "three.png").size[0] > 1500
    assert (tmp_path / "four.pdf").read_bytes().startswith(b"%PDF")


def test_columns_have_a_name_for_every_run():
    loaded = [(tiny_network(method), SimpleNamespace(attribution_method=method, label=label))
              for method, label in (("CAM", "a"), ("CALM_EM", "b"), ("CALM_EM", "c"))]  # fmt: skip
    columns = make_figures.columns(loaded)
    assert list(columns)[4:] == ["CAM", "b", "c"]
    assert [attribution for _, attribution in columns.values()][4:] == ["cam", "joint", "joint"]
    assert all(network is loaded[0][0] for network, _ in list(columns.values())[:4])


def test_a_run_on_other_data_is_refused(birds, tmp_path, capsys):
    content = torch.load(birds / "CAM" / "last_checkpoint.pth.tar")
    content["config"]["dataset_name"] = "CUB"
    torch.save(content, tmp_path / "cub.pth")
    assert run(lambda: make_figures.main(["figure4", "--load_checkpoint", f"{tmp_path / 'cub.pth'}"])) == 2
    assert "SynthBirds" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["figure3", "--out=x.xyz"], ".png or .pdf"),
        (["figure3", "--seed=-1"], "--seed"),
        (["figure4", "--rows=0"], "--rows"),
        (["figure3", "--load_checkpoint", "a", "b"], "one run"),
        (["figure5"], "figure5"),
        (["figure4", "--unknown=1"], "--unknown"),
    ],
)
def test_bad_words_are_one_sentence(capsys, words, said):
    assert run(lambda: make_figures.main([words[0], "--load_checkpoint", "nowhere", *words[1:]])) == 2
    message = capsys.readouterr().err
    assert said in message and message.count("\n") == 1
