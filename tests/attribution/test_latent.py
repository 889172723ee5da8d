"""The laws of the joint and the maps inferred from it (paper, Sections 4.1.3 and 4.2)."""

import pytest
import torch

from calm.attribution import output_attribution
from calm.attribution.score_map import normalize
from calm.errors import UserError
from calm.networks.outputs import CalmOutput, CamOutput
from tests.tiny_networks import tiny_batch, tiny_network

CLASSES = 5
EVERY_CLASS = {y: list(range(CLASSES)) for y in range(CLASSES)}
ALONE = {y: [y] for y in range(CLASSES)}
PAIRS = {y: sorted({y, (y + 2) % CLASSES}) for y in range(CLASSES)}


@pytest.fixture(params=["softplus", "relu"])
def output(request) -> CalmOutput:
    images, _ = tiny_batch()
    with torch.no_grad():
        return tiny_network("CALM_ML", prior_activation=request.param)(images)


@pytest.fixture
def targets() -> torch.Tensor:
    return torch.tensor([4, 0, 2])


def maps(name: str, output, targets, **options) -> torch.Tensor:
    return output_attribution(name, **options)(output, targets)


def close(first: torch.Tensor, second: torch.Tensor) -> None:
    torch.testing.assert_close(first, second, atol=1e-6, rtol=1e-5)


def plain_probabilities(output: CalmOutput) -> tuple[torch.Tensor, torch.Tensor]:
    """p(y|x,z) [B,K,h,w] and p(z|x) [B,h,w] in float64 without log space."""
    scores = output.class_logits.double().exp()
    return scores / scores.sum(dim=1, keepdim=True), output.log_p_z_given_x.double().exp()[:, 0]


def test_maps_equal_plain_loops(output, targets):
    conditional, prior = plain_probabilities(output)
    for b, y in enumerate(targets.tolist()):
        joint = conditional[b] * prior[b]
        posterior = joint / joint.sum(dim=(1, 2), keepdim=True)
        slow = {
            "joint": joint[y],
            "conditional": conditional[b, y],
            "posterior": posterior[y],
            "saliency": prior[b],
            "subset": sum(joint[k] for k in PAIRS[y]),
            "subset-mean": sum(joint[k] for k in PAIRS[y]) / len(PAIRS[y]),
            "posterior-subset": sum(posterior[k] for k in PAIRS[y]),
            "posterior-subset-mean": sum(posterior[k] for k in PAIRS[y]) / len(PAIRS[y]),
            "counterfactual": joint[y] - joint[3],
        }
        for name, expected in slow.items():
            close(maps(name, output, targets, supersets=PAIRS, versus=3)[b].double(), expected)


def test_saliency_is_the_subset_of_all_classes(output, targets):
    close(maps("saliency", output, targets), maps("subset", output, targets, supersets=EVERY_CLASS))


def test_subset_of_the_class_itself_is_the_joint(output, targets):
    close(maps("joint", output, targets), maps("subset", output, targets, supersets=ALONE))
    close(maps("posterior", output, targets), maps("posterior-subset", output, targets, supersets=ALONE))


def test_posterior_times_class_probability_is_the_joint(output, targets):
    p_y = output.log_p_y.exp()[torch.arange(3), targets]
    close(maps("posterior", output, targets) * p_y[:, None, None], maps("joint", output, targets))


def test_completeness(output, targets):
    p_y = output.log_p_y.exp()[torch.arange(3), targets]
    close(maps("joint", output, targets).sum(dim=(1, 2)), p_y)
    difference = maps("counterfactual", output, targets, versus=1).sum(dim=(1, 2))
    close(difference, p_y - output.log_p_y.exp()[:, 1])


def test_distributions_sum_to_one(output, targets):
    for name in ("posterior", "saliency", "posterior-subset-mean"):
        close(maps(name, output, targets, supersets=PAIRS).sum(dim=(1, 2)), torch.ones(3))
    total = sum(maps("conditional", output, torch.full((3,), y)) for y in range(CLASSES))
    close(total, torch.ones_like(total))


def test_counterfactual_takes_one_class_or_one_per_sample(output, targets):
    close(
        maps("counterfactual", output, targets, versus=1),
        maps("counterfactual", output, targets, versus=torch.tensor([1, 1, 1])),
    )
    assert torch.equal(maps("counterfactual", output, targets, versus=targets), torch.zeros(3, 6, 6))


def test_implementation_invariance(output, targets):
    """A constant added to every class logit changes no probability, hence no map; max-normalised CAM changes."""
    shifted = output._replace(class_logits=output.class_logits + 3.0)
    for name in ("joint", "conditional", "posterior", "saliency", "subset", "posterior-subset", "counterfactual"):
        options = {"supersets": PAIRS, "versus": 1}
        close(maps(name, output, targets, **options), maps(name, shifted, targets, **options))

    cam, shifted_cam = CamOutput(output.class_logits), CamOutput(output.class_logits + 3.0)
    close(cam.log_p_y, shifted_cam.log_p_y)
    change = normalize(maps("cam", cam, targets), "max") - normalize(maps("cam", shifted_cam, targets), "max")
    assert change.abs().max() > 0.1


def test_sensitivity(output, targets):
    """A cell without effect on p(y|x) has zero joint, and only such a cell."""
    without_effect = output.log_p_z_given_x.clone()
    without_effect[:, :, 2, 3] = -torch.inf
    blind = CalmOutput(output.class_logits, without_effect)
    other_logits = blind.class_logits.clone()
    other_logits[:, :, 2, 3] = 50 * torch.arange(CLASSES)
    close(blind.log_p_y, CalmOutput(other_logits, without_effect).log_p_y)
    joint = maps("joint", blind, targets)
    assert (joint[:, 2, 3] == 0).all()
    assert maps("cam", blind, targets)[:, 2, 3].abs().min() > 0  # CAM gives the same cell a value


def test_extreme_logits_give_no_nan(targets):
    logits = torch.zeros(3, CLASSES, 4, 4)
    logits[:, 0], logits[:, 1] = 1e4, -1e4
    output = CalmOutput(logits, torch.full((3, 1, 4, 4), -torch.tensor(16.0).log()))
    for name in ("joint", "conditional", "posterior", "subset", "posterior-subset", "counterfactual"):
        assert maps(name, output, targets, supersets=PAIRS, versus=1).isfinite().all()
    torch.testing.assert_close(maps("posterior", output, torch.tensor([1, 1, 1])), torch.full((3, 4, 4), 1 / 16))


def test_supersets_must_fit_the_classes(output, targets):
    with pytest.raises(UserError, match="lack class 4"):
        maps("subset", output, targets, supersets={0: [0], 2: [2]})
    with pytest.raises(UserError, match="from 0 to 4"):
        maps("subset", output, targets, supersets={**ALONE, 2: [2, 5]})


def test_a_cam_network_has_no_prior(targets):
    output = CamOutput(torch.randn(3, CLASSES, 4, 4))
    for name in ("joint", "jointll", "gtcond", "saliency", "subset", "counterfactual", "conditional"):
        with pytest.raises(UserError, match="prior"):
            maps(name, output, targets, supersets=PAIRS, versus=0)
