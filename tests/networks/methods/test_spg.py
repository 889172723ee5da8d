import math

import pytest
import torch
import torch.nn.functional as F

from calm.networks.methods.spg import Thresholds, enlarged, fused_attention, guidance, guided_loss, spg_losses
from tests.expected_methods import form

THRESHOLDS = (Thresholds(0.7, 0.2), Thresholds(0.6, 0.4), Thresholds(0.55, 0.45))
SIZE = (12, 10)


def slow_labels(attention, high, low):
    """[H,W] -> 1, 0 or None a pixel."""
    values = attention.flatten().tolist()
    if sum(value > high for value in values) < 30:
        high = 0.7 * max(values)
    return [0 if value < low else 1 if value > high else None for value in values]


@pytest.mark.parametrize(("high", "low"), [(0.6, 0.2), (0.95, 0.1), (0.3, 0.5), (1.0, 0.0)])
def test_labels_pixel_by_pixel(high, low):
    attention = (form((3, 9, 11), 0.37, 0.2) + 1) / 2
    attention[2] *= 0.4  # few pixels are high
    taught = guidance(attention, Thresholds(high, low))
    for b in range(3):
        labels = slow_labels(attention[b], high, low)
        assert taught.is_known[b].flatten().tolist() == [label is not None for label in labels]
        assert taught.is_object[b].flatten().tolist() == [float(label == 1) for label in labels]


def test_thirty_pixels_are_enough_and_29_are_not():
    attention = torch.full((2, 8, 8), 0.5)
    attention[0].view(-1)[:30] = 0.9
    attention[1].view(-1)[:29] = 0.9  # threshold falls to 0.63
    attention[1, 7, 7] = 0.65
    taught = guidance(attention, Thresholds(0.8, 0.1))
    assert taught.is_object.sum(dim=(1, 2)).tolist() == [30, 30]


def slow_losses(class_maps, branches, targets):
    """Mean over known pixels, pixel by pixel."""
    b1, b2, c = (F.interpolate(branch, SIZE, mode="bilinear", align_corners=False)[:, 0] for branch in branches)
    own = torch.stack([class_maps[b, y] for b, y in enumerate(targets.tolist())])
    own = F.interpolate(own[:, None], SIZE, mode="bilinear", align_corners=False)[:, 0]
    own = torch.stack([(m - m.min()) / (m.max() - m.min()) for m in own])
    attentions = (own, torch.sigmoid(b2), (torch.sigmoid(b1) + torch.sigmoid(b2)) / 2)
    results = []
    for logits, attention, (high, low) in zip((b2, b1, c), attentions, THRESHOLDS):
        terms = []
        for b in range(len(targets)):
            for logit, label in zip(logits[b].flatten(), slow_labels(attention[b], high, low)):
                if label is not None:
                    p = 1 / (1 + torch.exp(-logit))
                    terms.append(-torch.log(p if label else 1 - p))
        results.append(sum(terms) / len(terms))
    scores = class_maps.mean(dim=(2, 3))
    classes = -sum(scores[b].log_softmax(0)[y] for b, y in enumerate(targets.tolist())) / len(targets)
    return {"classes": classes, "b2": results[0], "b1": results[1], "c": results[2]}


def inputs():
    class_maps = form((2, 4, 3, 3), 0.37, 0.1).requires_grad_(True)
    branches = tuple(form((2, 1, side, side), 0.6 + side / 10, 0.2, 2.0).requires_grad_(True) for side in (6, 3, 4))
    return class_maps, branches, torch.tensor([1, 3])


def test_losses_and_gradients_equal_a_loop_over_pixels():
    class_maps, branches, targets = inputs()
    losses = spg_losses(class_maps, branches, targets, size=SIZE, thresholds=THRESHOLDS)
    slow = slow_losses(class_maps.detach(), [branch.detach() for branch in branches], targets)
    for name, value in slow.items():
        torch.testing.assert_close(getattr(losses, name).detach(), value)
    gradients = torch.autograd.grad(sum(losses), (class_maps, *branches))
    again_maps, again_branches, _ = inputs()
    again = torch.autograd.grad(
        sum(_detached_attention(again_maps, again_branches, targets)), (again_maps, *again_branches)
    )
    for ours, theirs in zip(gradients, again):
        torch.testing.assert_close(ours, theirs)


def _detached_attention(class_maps, branches, targets):
    """The four terms with labels counted beforehand from detached values, so that no gradient can pass them."""
    b1, b2, c = (F.interpolate(branch, SIZE, mode="bilinear", align_corners=False)[:, 0] for branch in branches)
    own = class_maps.detach()[torch.arange(2), targets]
    own = F.interpolate(own[:, None], SIZE, mode="bilinear", align_corners=False)[:, 0]
    own = torch.stack([(m - m.min()) / (m.max() - m.min()) for m in own])
    p1, p2 = b1.detach().sigmoid(), b2.detach().sigmoid()
    yield F.cross_entropy(class_maps.mean(dim=(2, 3)), targets)
    for logits, attention, (high, low) in zip((b2, b1, c), (own, p2, (p1 + p2) / 2), THRESHOLDS):
        labels = [label for b in range(2) for label in slow_labels(attention[b], high, low)]
        known = [k for k, label in enumerate(labels) if label is not None]
        wanted = torch.tensor([float(labels[k]) for k in known], dtype=torch.float64)
        yield F.binary_cross_entropy_with_logits(logits.flatten()[known], wanted)


def test_nothing_known_costs_nothing():
    logits = torch.randn(1, 4, 4, requires_grad=True)
    flat = guidance(torch.full((1, 4, 4), 0.5), Thresholds(0.5, 0.5))
    assert flat.is_known.all()  # fewer than 30 above: the threshold falls to 0.35
    unknown = flat._replace(is_known=torch.zeros_like(flat.is_known))
    loss = guided_loss(logits, unknown)
    loss.backward()
    assert loss == 0 and not logits.grad.any()


def test_huge_logits_stay_finite():
    class_maps, branches, targets = inputs()
    branches = tuple(1e4 * branch for branch in branches)
    losses = spg_losses(1e4 * class_maps, branches, targets, size=SIZE, thresholds=THRESHOLDS)
    assert all(loss.isfinite() for loss in losses)


def test_fusion_and_enlargement():
    assert fused_attention(torch.zeros(1, 2, 2), torch.full((1, 2, 2), math.log(3.0))).unique().tolist() == [0.625]
    assert enlarged(torch.tensor([[[0.0, 4.0]]]), (1, 4))[0, 0].tolist() == [0.0, 1.0, 3.0, 4.0]
