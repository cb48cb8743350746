"""Sensitivities by linear programmes and by brute force, exactly and estimated."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

from lowrank_la.sampling import (
    CoresetEstimator,
    RowSampler,
    TotalSensitivity,
    leverage_scores,
    lewis_weights,
    lp_sensitivities,
    total_sensitivity,
)
from tests.reference import sampling as naive
from tests.sampling.problems import RNG, SHAPES, A
from tests.strategies import integers

close = np.testing.assert_allclose
planes = st.integers(1, 8).flatmap(lambda n: st.tuples(integers((n, 2), -3, 3), integers(n, 0, 3)))
heavy = RNG.standard_cauchy((120, 4))


@pytest.mark.parametrize("shape", SHAPES)
def test_linear_programmes(shape):
    close(lp_sensitivities(SHAPES[shape]), naive.sensitivities(SHAPES[shape], 1), rtol=2e-6)


@settings(max_examples=25)
@given(planes, st.sampled_from([1, 1.2, 1.5, 3, 6]))
def test_brute_force(problem, p):
    rows, weights = (array.astype(float) for array in problem)
    weights[0] += not weights.any()
    found = lp_sensitivities(rows, p, sample_weight=weights)
    close(found, naive.sensitivities(rows, p, weights), rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("p", [1, 1.5, 2, 3, 8])
def test_one_column_is_a_share(p):
    powers = abs(A[:, 0]) ** p
    for method in ("exact", "approximate"):
        close(lp_sensitivities(A[:, :1], p, method=method), powers / powers.sum(), rtol=1e-6)


@given(planes)
def test_leverage_where_p_is_2(problem):
    rows, weights = (array.astype(float) for array in problem)
    weights[0] += not weights.any()
    expected = leverage_scores(rows, sample_weight=weights)
    for method in ("exact", "approximate"):
        found = lp_sensitivities(rows, 2, method=method, sample_weight=weights)
        close(found, expected, rtol=1e-12)
    total = total_sensitivity(rows, 2, sample_weight=weights).estimate
    assert total == np.linalg.matrix_rank(np.sqrt(weights)[:, None] * rows)


@pytest.mark.parametrize("p", [1, 1.5, 3, 5])
@pytest.mark.parametrize("rows", [A, heavy, sparse.csr_array(heavy), SHAPES["a rare level"]])
def test_estimates(rows, p):
    """Between a Hölder constant's share and the truth, for all rows are in the sample."""
    exact = lp_sensitivities(rows, p)
    found = lp_sensitivities(rows, p, method="approximate", eps=0.05, rng=0)
    d = rows.shape[1]
    assert np.all(found <= exact * 1.01)
    assert np.all(found >= exact / d ** abs(1 - p / 2) / 1.01)


@pytest.mark.parametrize("p", [1, 3])
def test_estimates_from_a_sample(p):
    rows = np.random.default_rng(3).standard_t(3, (3000, 3))
    exact = lp_sensitivities(rows, p, method="approximate", eps=0.01)
    found = lp_sensitivities(rows, p, method="approximate", eps=0.3, rng=0)
    assert np.any(found != exact)
    close(found, exact, rtol=0.6)


@pytest.mark.parametrize("p", [1, 3])
@pytest.mark.parametrize("block_size", [1, 7, 10_000])
def test_blocks_are_safe(p, block_size):
    exact = lp_sensitivities(heavy, p)
    options = {"method": "approximate", "eps": 0.05, "rng": 0}
    found = lp_sensitivities(heavy, p, block_size=block_size, **options)
    assert np.mean(found >= exact * 0.99) > 0.97
    bounds = lewis_weights(heavy, p, tol=1e-8).weights * 4 ** max(0, p / 2 - 1)
    assert np.all(found <= np.minimum(bounds, 1) * 1.01)
    if block_size == 1:
        close(found, exact, rtol=1e-2)


@pytest.mark.parametrize("p", [1, 1.5, 3])
def test_total(p):
    exact = lp_sensitivities(heavy, p).sum()
    total = total_sensitivity(heavy, p, n_rows=60, rng=0)
    assert isinstance(total, TotalSensitivity)
    assert total.n_rows == 60
    assert abs(total.estimate - exact) < max(4 * total.standard_error, 0.3 * exact)
    assert 0 <= total.standard_error < 0.2 * exact
    whole = total_sensitivity(heavy, p, n_rows=120, eps=0.02, rng=0)
    assert abs(whole.estimate - exact) < 4 * whole.standard_error + 1e-2 * exact


@pytest.mark.parametrize("p", [500, 1000, 1e5])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_large_powers(p):
    """Of which sums vanish, or overflow: rows have shares near 0 and 1."""
    exact = lp_sensitivities(A, p)
    found = lp_sensitivities(A, p, method="approximate")
    assert np.all(found <= exact * 1.01)
    assert 4 <= found.sum() <= exact.sum() < 40
    assert 4 <= total_sensitivity(A, p, rng=0).estimate < np.inf


@pytest.mark.parametrize(
    "function",
    [
        lambda: lp_sensitivities(A, 1e4, method="approximate"),
        lambda: total_sensitivity(A, 1e4),
        lambda: RowSampler(p=1e4, n_samples=9, random_state=0).fit(A),
        lambda: CoresetEstimator(
            sampler=RowSampler(p=1e4, n_samples=9, random_state=0)
        ).fit(A, A[:, 0]),
    ],
)  # fmt: skip
def test_lewis_weights_that_do_not_converge(function):
    with pytest.warns(ConvergenceWarning, match="Lewis weights for p=10000"):
        function()


def test_total_of_special_rows():
    assert total_sensitivity(A, 2).n_rows == total_sensitivity(0 * A).n_rows == 0
    assert total_sensitivity(0 * A).estimate == 0
    assert total_sensitivity(A[:3]).estimate == pytest.approx(3)
    assert total_sensitivity(A[:1]).estimate == pytest.approx(1)
    weights = np.r_[np.ones(20), np.zeros(20)]
    close(total_sensitivity(A, sample_weight=weights, rng=0).estimate,
          total_sensitivity(A[:20], rng=0).estimate, rtol=0.1)  # fmt: skip


def test_seeds():
    rows = np.random.default_rng(3).standard_t(3, (3000, 3))
    for function in (
        lambda rng: lp_sensitivities(rows, method="approximate", eps=0.3, rng=rng).tolist(),
        lambda rng: total_sensitivity(rows, eps=0.3, n_rows=20, rng=rng),
    ):
        assert function(0) == function(0) != function(1)
