"""Leverage scores: the diagonal of a projection, exactly or by sketches."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from lowrank_la.sampling import leverage_scores, root_leverage_scores
from lowrank_la.sampling._leverage import METHODS
from tests.linear_model.problems import coherent, haar, one_hot
from tests.reference import sampling as naive
from tests.sampling.problems import RNG, SHAPES, A
from tests.sampling.test_scores import problems

EXACT = ["exact", "stable"]
close = np.testing.assert_allclose
forms = pytest.mark.parametrize("form", [np.asarray, np.asfortranarray, sparse.csr_array])


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shape", SHAPES)
def test_definition(shape, method):
    """Few rows are no more than a sketch would have: estimates are exact."""
    rows = SHAPES[shape]
    scores = leverage_scores(rows, method=method, rng=0)
    close(scores, naive.leverage_scores(rows), atol=1e-12)
    assert scores.sum() == pytest.approx(np.linalg.matrix_rank(rows))


@given(problems, st.sampled_from(EXACT), st.sampled_from([0.0, 0.5, 1e6]), st.booleans())
def test_whatever_the_rows(problem, method, ridge, as_sparse):
    rows, weights = (array.astype(float) for array in problem)
    weights[0] += not weights.any()
    form = sparse.csr_array(rows) if as_sparse else rows
    options = {"sample_weight": weights, "ridge": ridge, "rng": 0}
    scores = leverage_scores(form, method=method, **options)
    close(scores, naive.leverage_scores(rows, weights, ridge), atol=1e-12)


@given(problems)
def test_largest_share_of_squares(problem):
    """No vector gives a row more, and the row's own direction gives it as much."""
    rows = problem[0].astype(float)
    scores = leverage_scores(rows)
    directions = np.linalg.pinv(rows.T @ rows, hermitian=True) @ rows.T
    for x in (RNG.standard_normal((rows.shape[1], 20)), directions):
        squares = (rows @ x) ** 2
        assert np.all(squares <= (scores[:, None] + 1e-9) * squares.sum(axis=0) + 1e-12)
    attained = (rows * directions.T).sum(axis=1)
    close(scores, attained, atol=1e-9)


@forms
@pytest.mark.parametrize("method", EXACT)
@pytest.mark.parametrize("condition", [1, 1e3, 1e7, 1e12])
def test_condition(condition, method, form):
    rows, _, _ = haar(500, 12, condition, 0.0)
    scores = leverage_scores(form(rows), method=method, rng=0)
    expected = naive.leverage_scores(haar(500, 12, 1, 0.0)[0])
    close(scores, expected, rtol=max(1e-8, 1e-14 * condition))
    assert scores.sum() == pytest.approx(12)


@forms
@pytest.mark.parametrize("method", EXACT)
@pytest.mark.parametrize("rows", [coherent(800, 12)[0], one_hot(800, 10)[0]])
def test_uneven_rows(rows, method, form):
    scores = leverage_scores(form(rows), method=method, rng=0)
    close(scores, naive.leverage_scores(rows), rtol=1e-6, atol=1e-12)
    assert scores.max() > 0.99


@pytest.mark.parametrize("ridge", [1e-3, 1.0, 1e3, 1e200])
def test_effective_dimension(ridge):
    values = np.linalg.svd(A, compute_uv=False) ** 2
    expected = (values / (values + ridge)).sum()
    assert leverage_scores(A, ridge=ridge).sum() == pytest.approx(expected)


@pytest.mark.parametrize("size", [1e-200, 1e200])
def test_ridge_in_other_units(size):
    """Of A and of weights together."""
    weights = RNG.random(len(A))
    expected = leverage_scores(A, ridge=3.0, sample_weight=weights)
    ridge = 3 * size
    close(leverage_scores(A, ridge=ridge, sample_weight=size * weights), expected, rtol=1e-9)
    close(leverage_scores(A * size**0.5, ridge=ridge, sample_weight=weights), expected, rtol=1e-9)


@pytest.mark.parametrize("d", [4, 40])
@pytest.mark.parametrize("eps", [0.25, 0.5])
def test_estimates(eps, d):
    """For many columns a random projection, of a standard error of eps."""
    rows = np.random.default_rng(1).standard_normal((20_000, d)) * np.logspace(0, 4, d)
    rows[::100] *= 10
    estimates = leverage_scores(rows, method="sketched", eps=eps, rng=0)
    ratios = estimates / leverage_scores(rows)
    assert abs(ratios.mean() - 1) < eps
    assert 0.05 * eps < ratios.std() < 1.5 * eps
    again = [leverage_scores(rows, method="sketched", eps=eps, rng=seed) for seed in (0, 1)]
    np.testing.assert_array_equal(again[0], estimates)
    assert np.any(again[1] != estimates)


@pytest.mark.parametrize("p", [0.5, 1, 2, 3])
def test_root_leverage(p):
    close(root_leverage_scores(A, p), leverage_scores(A) ** (p / 2))
    weights = np.arange(len(A)) % 3.0
    root = root_leverage_scores(A, p, sample_weight=weights)
    of_copies = leverage_scores(A.repeat(weights.astype(int), axis=0)) ** (p / 2)
    copies = np.repeat(np.arange(len(A)), weights.astype(int))
    close(root, np.bincount(copies, of_copies, len(A)))


@forms
def test_rows_are_not_copied(form):
    rows = form(np.random.default_rng(0).standard_normal((200_000, 20)))
    leverage_scores(rows[:1000])
    tracemalloc.start()
    leverage_scores(rows)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.3 * rows.shape[0] * 20 * 8


def test_shared_generator_moves_on():
    rng = np.random.default_rng(0)
    rows = RNG.standard_normal((5000, 40))
    one, other = (leverage_scores(rows, method="sketched", rng=rng) for _ in range(2))
    assert np.any(one != other)
