import torch
import torch.nn.functional as F

from calm.networks.methods.acol import acol_loss, erase, keep_mask, merged_map, row_of
from tests.expected_methods import assert_near, form, values

LABELS = torch.tensor([1, 3])


def both_maps(features, threshold=0.7):
    weight_a, bias_a = form((4, 3, 1, 1), 1.1, 0.2), form((4,), 0.9, 0.5, 0.1)
    weight_b, bias_b = form((4, 3, 1, 1), 1.7, 0.4), form((4,), 0.6, 0.1, 0.1)
    maps_a = F.conv2d(features, weight_a, bias_a)
    return maps_a, F.conv2d(erase(features, maps_a, LABELS, threshold), weight_b, bias_b)


def loss_of(features):
    maps_a, maps_b = both_maps(features)
    return acol_loss(maps_a.mean(dim=(2, 3)), maps_b.mean(dim=(2, 3)), LABELS)


def test_expected_values(expected):
    file = values(expected, "acol")
    features = (form((2, 3, 5, 5), 0.37, 0.1) + 0.5).requires_grad_(True)
    maps_a, maps_b = both_maps(features)
    assert_near(maps_a.mean(dim=(2, 3)), file["logits_a"])
    assert_near(maps_b.mean(dim=(2, 3)), file["logits_b"])
    assert (keep_mask(maps_a, LABELS, 0.7) == 0).sum(dim=(1, 2, 3)).tolist() == file["erased_cells"]
    merged = merged_map(maps_a, maps_b, LABELS)
    assert_near(merged[0], file["map_max_of_normalised[0]"])
    assert_near(merged.sum(dim=(1, 2)), file["map_sum"])
    loss = loss_of(features)
    assert_near(loss, file["loss_sum_of_two_ce"])
    (gradient,) = torch.autograd.grad(loss, features)
    assert_near(gradient.abs().sum(), file["grad_f_sum_abs"])
    assert_near(gradient[0, :, 2, 2], file["grad_f[0,:,2,2]"])


def test_gradient_by_finite_differences():
    features = (form((2, 3, 3, 3), 0.53, 0.4) + 0.5).requires_grad_(True)
    assert torch.autograd.gradcheck(loss_of, (features,))


def test_erased_cells_and_merged_map_cell_by_cell():
    features = form((2, 3, 3, 4), 0.71, 0.3)
    maps_a, maps_b = both_maps(features, 0.6)
    erased = erase(features, maps_a, LABELS, 0.6)
    merged = merged_map(maps_a, maps_b, LABELS)
    for b, label in enumerate(LABELS.tolist()):
        a, other = maps_a[b, label], maps_b[b, label]
        for i in range(3):
            for j in range(4):
                unit = (a[i, j] - a.min()) / (a.max() - a.min())
                unit_b = (other[i, j] - other.min()) / (other.max() - other.min())
                torch.testing.assert_close(erased[b, :, i, j], features[b, :, i, j] * float(unit < 0.6))
                torch.testing.assert_close(merged[b, i, j], max(unit, unit_b))


def test_a_constant_map_erases_nothing_and_zero_erases_all():
    assert keep_mask(torch.full((1, 4, 3, 3), 2.0), LABELS[:1], 0.5).all()
    assert not keep_mask(form((1, 4, 3, 3), 0.3, 0.1), LABELS[:1], 0.0).any()


def test_row_of_each_sample():
    maps = form((2, 4, 3, 3), 0.3, 0.1)
    assert torch.equal(row_of(maps, LABELS)[1], maps[1, 3])


def test_the_map_of_a_class_is_exported_for_any_number_of_images():
    class Row(torch.nn.Module):
        def forward(self, maps, targets):
            return row_of(maps, targets)

    maps, targets = torch.arange(2 * 3 * 4 * 4.0).view(2, 3, 4, 4), torch.tensor([2, 0])
    batch = {0: torch.export.Dim("batch")}
    program = torch.export.export(Row(), (maps, targets), dynamic_shapes={"maps": batch, "targets": batch})
    found = program.module()(maps.repeat(2, 1, 1, 1), torch.tensor([2, 0, 1, 1]))
    assert torch.equal(found, torch.stack([maps[0, 2], maps[1, 0], maps[0, 1], maps[1, 1]]))
