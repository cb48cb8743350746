"""Lewis weights: the equation that defines them, at any power."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

from lowrank_la.sampling import LewisResult, leverage_scores, lewis_weights, lp_sensitivities
from tests.linear_model.problems import coherent, haar, one_hot
from tests.reference import sampling as naive
from tests.sampling.problems import RNG, SHAPES, A
from tests.sampling.test_scores import problems

POWERS = [0.3, 1, 1.5, 2, 3, 4, 6, 10]
close = np.testing.assert_allclose
every_power = pytest.mark.parametrize("p", POWERS)


def residual(rows, p, weights):
    """Largest relative difference of weights and what they define, where rounding lets us see."""
    counted = weights > 0
    rows, weights = rows[counted], weights[counted]
    inner = weights ** (1 - 2 / p)
    forms = naive.leverage_scores(rows, inner) / inner
    return abs(forms ** (p / 2) / weights - 1)[weights > 1e-20].max(initial=0.0)


@every_power
@pytest.mark.parametrize("shape", SHAPES)
def test_definition(shape, p):
    rows = SHAPES[shape]
    result = lewis_weights(rows, p, tol=1e-10, max_iter=500)
    assert isinstance(result, LewisResult)
    assert result.converged
    assert result.weights.sum() == pytest.approx(np.linalg.matrix_rank(rows))
    assert residual(rows, p, result.weights) < 1e-8
    np.testing.assert_array_equal(result.weights > 0, rows.any(axis=1))


@every_power
def test_plain_iteration(p):
    weights = np.arange(len(A)) % 3.0
    for given_weights in (None, weights):
        expected = naive.lewis_weights(A, p, given_weights)
        found = lewis_weights(A, p, tol=1e-10, max_iter=500, sample_weight=given_weights).weights
        close(found, expected, rtol=1e-7, atol=1e-12)


@settings(max_examples=30)
@given(problems, st.sampled_from(POWERS), st.booleans())
def test_whatever_the_rows(problem, p, as_sparse):
    rows = problem[0].astype(float)
    form = sparse.csr_array(rows) if as_sparse else rows
    result = lewis_weights(form, p, tol=1e-8, max_iter=1000)
    assert result.converged
    assert residual(rows, p, result.weights) < 1e-6
    assert result.weights.sum() == pytest.approx(np.linalg.matrix_rank(rows))


@given(problems)
def test_leverage_where_p_is_2(problem):
    rows, weights = (array.astype(float) for array in problem)
    weights[0] += not weights.any()
    found = lewis_weights(rows, 2, sample_weight=weights).weights
    close(found, leverage_scores(rows, sample_weight=weights), rtol=1e-12)


@pytest.mark.parametrize("p", [1, 1.5, 3])
@pytest.mark.parametrize("rows", [A, SHAPES["a rare level"], np.repeat(A[:7], 3, axis=0)])
def test_bounds_of_sensitivities(rows, p):
    weights = lewis_weights(rows, p, tol=1e-8).weights
    bounds = weights * np.linalg.matrix_rank(rows) ** max(0.0, p / 2 - 1)
    assert np.all(lp_sensitivities(rows, p) <= bounds * (1 + 1e-5))


@every_power
@pytest.mark.parametrize("tol", [1e-1, 1e-3, 1e-6])
def test_tolerance(tol, p):
    """No weight is farther from the truth than told."""
    result = lewis_weights(A, p, tol=tol, max_iter=500)
    exact = lewis_weights(A, p, tol=1e-12, max_iter=1000).weights
    off = abs(result.weights / exact - 1).max()
    factor = abs(2 - p) / min(p, 4 - p) if p < 4 else p / 2
    assert off <= 1.01 * np.expm1(factor * np.log1p(tol))
    assert result.weights.sum() == pytest.approx(4, rel=tol)
    assert result.history[-1] <= tol
    assert len(result.history) == result.n_iter
    assert result.n_iter == 1 or np.all(result.history[:-1] > tol)


@every_power
@pytest.mark.parametrize("problem", [coherent(800, 12), one_hot(800, 10), haar(800, 8, 1e10, 0)])
def test_few_iterations(problem, p):
    rows = problem[0]
    result = lewis_weights(rows, p, rng=0)
    assert result.converged
    assert result.n_iter <= 40
    assert residual(rows, p, result.weights) < 3e-3
    assert result.weights.sum() == pytest.approx(rows.shape[1], rel=1e-2)


@pytest.mark.parametrize("p", [1, 6])
def test_too_few_iterations_are_told(p):
    with pytest.warns(ConvergenceWarning, match="max_iter=1 ") as told:
        result = lewis_weights(A, p, max_iter=1)
    assert not result.converged
    assert result.n_iter == len(result.history) == 1
    assert np.isfinite(result.weights).all()
    assert {warning.filename for warning in told} == {__file__}


@pytest.mark.parametrize("p", [1e-300, 1e-3, 0.01, 30, 100])
def test_powers_at_the_ends(p):
    result = lewis_weights(A, p, max_iter=2000)
    assert result.converged
    assert result.weights.sum() == pytest.approx(4, rel=0.05)


def test_powers_of_forms_may_vanish():
    rows = one_hot(800, 10)[0]
    result = lewis_weights(rows, 1000, max_iter=1000)
    assert result.converged
    with pytest.warns(ConvergenceWarning, match="max_iter=9 "):
        assert lewis_weights(A, 1000, max_iter=9).weights.sum() == pytest.approx(4)


def test_orthogonal_blocks_are_apart():
    """Weights of rows do not depend on rows that share no column with them."""
    other = RNG.standard_normal((9, 2))
    together = np.block([[A, np.zeros((40, 2))], [np.zeros((9, 4)), other]])
    found = lewis_weights(together, 1, tol=1e-10).weights
    apart = [lewis_weights(rows, 1, tol=1e-10).weights for rows in (A, other)]
    close(found, np.concatenate(apart), rtol=1e-8)
