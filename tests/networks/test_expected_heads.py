"""Probabilities, losses, maps and gradient norms of the published implementation, on weights given by formula."""

import numpy as np
import pytest
import torch

from calm.networks import METHODS, build_network

MAPS = {
    "vanilla": lambda output, cells: output.class_logits[cells],
    "saliency": lambda output, cells: output.log_p_z_given_x.squeeze(1).exp(),
    "gtcond": lambda output, cells: output.log_posterior[cells].exp(),
    "jointll": lambda output, cells: output.log_joint[cells].exp(),
}


@pytest.fixture(scope="module")
def formula_state(expected):
    import formulas

    return formulas.fill(build_network("resnet50", "CAM", 200).state_dict())


@pytest.mark.parametrize("method", ["CAM", "CALM_ML", "CALM_EM"])
def test_resnet50_at_28_equals_the_expected_values(expected, formula_state, method):
    import formulas

    wanted = np.load(expected / "heads" / f"resnet50_28_{method}.npz")
    network = build_network(
        "resnet50", method, 200, large_feature_map=True, prior_activation="relu", detach_prior_sum=True
    ).eval()
    network.load_state_dict(formula_state)
    targets = torch.tensor(formulas.LABELS)
    output = network(torch.from_numpy(formulas.batch(2)))
    loss = METHODS[method][1](output, targets)
    loss.backward()
    close(output.log_p_y.exp(), wanted["probs"])
    close(loss, wanted["loss"])
    cells = (torch.arange(2), targets)
    if method == "CAM":
        close(output.class_maps[cells], wanted["map|vanilla"])
    else:
        for name, of in MAPS.items():
            close(of(output, cells), wanted[f"map|{name}"])
    check_gradients(network, wanted)


def close(ours, wanted):
    np.testing.assert_allclose(ours.detach().numpy(), wanted, rtol=0, atol=2e-4 * np.abs(wanted).max())


def check_gradients(network, wanted):
    parameters = dict(network.named_parameters())
    names = [key.split("|")[1] for key in wanted if key.startswith("gradnorm|")]
    trained = [name for name in names if parameters[name].requires_grad]
    assert len(trained) == (3 if network.method == "CAM" else 5)
    for name in trained:
        tolerance = 5e-3 if name == "conv1.weight" else 1e-3
        norm = parameters[name].grad.norm().item()
        assert norm == pytest.approx(float(wanted[f"gradnorm|{name}"]), rel=tolerance), name
