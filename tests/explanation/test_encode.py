"""The table of the page: every map from its codes against the definitions."""

import numpy as np
import pytest

from calm.explanation.encode import STATED_BOUND, encode_conditional, log2_conditional
from calm.explanation.page import encode
from tests.explained import made_up


def slow_maps(logits: np.ndarray, prior: np.ndarray, kind: str, k: int) -> np.ndarray:
    """[K,Z] float64 logits and p(z|x) [Z] -> one map [Z], by the definitions."""
    conditional = np.exp(logits - logits.max(axis=0)) / np.exp(logits - logits.max(axis=0)).sum(axis=0)
    joint = conditional * prior
    return {"conditional": conditional[k], "joint": joint[k], "posterior": joint[k] / joint[k].sum()}[kind]


@pytest.mark.parametrize("spread", [1.0, 40.0])
def test_every_map_from_the_table_is_within_the_stated_bound(spread):
    """Also where prior and conditional disagree by many orders of magnitude."""
    rng = np.random.default_rng(0)
    logits, heights = spread * rng.standard_normal((30, 49)), spread * rng.standard_normal(49)
    prior = np.exp(heights - heights.max()) / np.exp(heights - heights.max()).sum()
    decoded = encode_conditional(log2_conditional(logits), prior).decode()
    joint = decoded * prior
    tiny = np.finfo(np.float32).tiny
    for k in range(30):
        ours = {"conditional": decoded[k], "joint": joint[k], "posterior": joint[k] / joint[k].sum()}
        for kind, values in ours.items():
            expected = slow_maps(logits, prior, kind, k)
            if expected.max() > tiny / prior.min():
                assert np.abs(values - expected).max() <= STATED_BOUND * expected.max(), (kind, k)
    subset = slow_maps(logits, prior, "joint", slice(0, 20)).sum(axis=0)
    assert np.abs(joint[:20].sum(axis=0) - subset).max() <= STATED_BOUND * subset.max()
    difference = slow_maps(logits, prior, "joint", 0) - slow_maps(logits, prior, "joint", 1)
    bound = STATED_BOUND * max(slow_maps(logits, prior, "joint", k).max() for k in (0, 1))
    assert np.abs(joint[0] - joint[1] - difference).max() <= bound


def test_a_logit_of_ten_thousand_and_a_cell_without_prior_are_encoded():
    logits = np.zeros((3, 4))
    logits[0, 0], logits[1, 1] = 1e4, -1e4
    prior = np.array([0.5, 0.25, 0.25, 0.0])
    decoded = encode_conditional(log2_conditional(logits), prior).decode()
    np.testing.assert_allclose(decoded[:, 0], [1, 0, 0])
    np.testing.assert_allclose(decoded[:, 1], [0.5, 0, 0.5], rtol=1e-3)
    np.testing.assert_allclose(decoded[:, 3], 1 / 3, rtol=1e-3)


def test_a_table_that_fits_is_stored_as_it_is():
    for method in ("CALM_EM", "CAM"):
        table, _, deviation = encode(made_up(method))
        assert table.values.dtype == np.float32 and deviation < 1e-7


def test_the_deviation_that_the_page_states_is_measured(monkeypatch):
    monkeypatch.setattr("calm.explanation.page.EXACT_CELLS", 0)
    codes, prior, deviation = encode(made_up())
    true = made_up().output.log_p_y_given_xz[0].flatten(1).exp().numpy()
    errors = np.abs(codes.decode() - true) * prior
    assert (errors.max(axis=1) / (true * prior).max(axis=1)).max() <= deviation * 1.01 < STATED_BOUND
    _, none, deviation = encode(made_up("CAM"))
    assert none is None and 0 < deviation < 1e-4
