import numpy as np
import torch

from calm.explanation.explainer import Explainer
from calm.explanation.image_files import photograph
from calm.explanation.interactions import Interactions, interactions_of
from calm.explanation.questions import Ask
from tests.explained import made_up_picture
from tests.tiny_networks import tiny_network


def test_codes_are_the_pairs_row_by_row():
    codes = Interactions(0, np.array([[5, 1, 2], [1, 7, 4], [2, 4, 6]], dtype=np.float32)).codes()
    assert codes.tolist() == [16384, 32768, 65535]
    assert not Interactions(0, np.zeros((3, 3), dtype=np.float32)).codes().any()


def test_images_together_have_the_tables_of_each_alone():
    network, images = tiny_network("CALM_ML"), torch.randn(3, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    together = interactions_of(network, images, [0, 2, 1])
    for image, target, table in zip(images, (0, 2, 1), together, strict=True):
        (alone,) = interactions_of(network, image[None], [target])
        assert table.target == alone.target == target
        np.testing.assert_allclose(table.values, alone.values, rtol=1e-4, atol=1e-9)


def test_an_explanation_takes_one_pass_of_the_trunk(monkeypatch):
    network, names = tiny_network("CALM_EM"), [f"class {k}" for k in range(5)]
    features, passes = network.features, []
    monkeypatch.setattr(network, "features", lambda images: passes.append(len(images)) or features(images))
    explainer = Explainer(network, 8, names, {}, "tiny", interactions="on")
    photographs = [photograph(made_up_picture(), name, 8) for name in ("a.png", "b.png")]
    explained = explainer.explain(photographs, [Ask(), Ask()])
    assert passes == [2] and all(each.interactions is not None for each in explained)


def test_an_explanation_has_the_second_derivatives_of_its_target():
    network = tiny_network("CALM_EM")
    names = [f"class {k}" for k in range(5)]
    supersets = {k: [k] for k in range(5)}

    def explained(interactions, network=network):
        explainer = Explainer(network, 8, names, supersets, "tiny", interactions=interactions)
        return explainer.explain([photograph(made_up_picture(), "a.png", 8)], [Ask(target=2)], images=images)[0]

    images = torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    found = explained("auto").interactions
    features = network.features(images).detach().double()
    network.double()

    def score(flat):
        return network.read_out(flat.view(1, 6, 4, 4)).log_p_y[0, 2]

    hessian = torch.autograd.functional.hessian(score, features.flatten()).view(6, 16, 6, 16)
    v = torch.einsum("ki,kilj->ij", features[0].flatten(1), hessian).square()
    network.float()
    np.testing.assert_allclose(found.values, (v + v.T).numpy(), rtol=1e-3, atol=1e-9)
    assert found.target == 2
    assert explained("off").interactions is None
    assert explained("on", tiny_network("CAM")).interactions is None  # its pairs do not differ
