"""Rows in proportion to scores: what is certain, and what is so on average."""

import pickle

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from lowrank_la.sampling import leverage_scores, sample_rows
from tests.reference import sampling as naive
from tests.sampling.problems import RNG, A
from tests.strategies import integers

either = pytest.mark.parametrize("replace", [True, False])
scores_of_rows = st.one_of(
    integers(st.integers(1, 12), 0, 5), integers(12, 0, 1_000_000), integers(9, 1, 2)
)


def drawn(scores, n_samples, replace, n_draws=3000):
    """Weights of all rows, for each of many draws."""
    rng, weights = np.random.default_rng(0), np.zeros((n_draws, len(scores)))
    for row in weights:
        indices, values = sample_rows(scores, n_samples, replace=replace, rng=rng)
        row[indices] = values
    return weights


@given(scores_of_rows, st.integers(1, 15), st.booleans(), st.integers(0, 9))
def test_whatever_the_scores(scores, n_samples, replace, seed):
    assume(scores.any())
    indices, weights = sample_rows(scores, n_samples, replace=replace, rng=seed)
    assert indices.dtype == np.int64
    assert weights.dtype == np.float64
    assert len(indices) == len(weights) <= min(n_samples, np.count_nonzero(scores))
    assert np.all(np.diff(indices) > 0)
    assert scores[indices].all()
    kept = naive.certain_rows([int(score) for score in scores], n_samples)
    assert set(kept) <= set(indices)
    np.testing.assert_array_equal(weights[np.isin(indices, kept)], 1.0)
    # The scores of the others add up, whatever is drawn of them.
    assert weights @ scores[indices] == pytest.approx(scores.sum())
    if not replace:
        assert len(indices) == min(n_samples, np.count_nonzero(scores))
        assert np.all(weights >= 1 - 1e-12)


@either
@pytest.mark.parametrize("n_samples", [1, 3, 7])
@pytest.mark.parametrize("scores", [np.ones(10), np.arange(9.0), np.r_[100.0, 1, 1, 2, 3, 0, 4, 4]])
def test_unbiased(scores, n_samples, replace):
    """Every row's weight is one on average: so is every sum over rows."""
    weights = drawn(scores, n_samples, replace)
    positive = scores > 0
    assert not weights[:, ~positive].any()
    error = weights.std(axis=0)[positive] / np.sqrt(len(weights))
    assert np.all(abs(weights.mean(axis=0)[positive] - 1) <= 5 * error + 1e-12)


def test_probabilities_without_replacement():
    scores = np.r_[100.0, 1, 1, 2, 3, 0, 4, 4]
    often = (drawn(scores, 4, False) > 0).mean(axis=0)
    np.testing.assert_allclose(often, np.r_[1.0, np.r_[1, 1, 2, 3, 0, 4, 4] * 3 / 15], atol=0.04)


@pytest.mark.parametrize("p", [1, 2])
@either
def test_norms_are_kept(p, replace):
    """Of all vectors at once, as far as theory says; without bias for each."""
    rows = np.random.default_rng(0).standard_t(3, (5000, 5))
    scores = leverage_scores(rows) ** (p / 2)
    x = RNG.standard_normal((5, 200))
    exact = (abs(rows @ x) ** p).sum(axis=0)
    ratios = []
    for seed in range(30):
        indices, weights = sample_rows(scores, 800, replace=replace, rng=seed)
        ratios.append(weights @ abs(rows[indices] @ x) ** p / exact)
    assert abs(np.array(ratios) - 1).max() < 0.25
    assert abs(np.mean(ratios, axis=0) - 1).max() < 0.04


def test_embedding():
    """Singular values of the sample, in coordinates where those of the rows are one."""
    rows = np.random.default_rng(0).standard_t(2, (5000, 8))
    rows = np.linalg.qr(rows)[0]
    indices, weights = sample_rows(leverage_scores(rows), 1500, rng=0)
    values = np.linalg.svd(np.sqrt(weights)[:, None] * rows[indices], compute_uv=False) ** 2
    assert abs(values - 1).max() < 0.25


@either
def test_a_row_that_must_come_comes(replace):
    rows = np.c_[np.ones(1000), np.arange(1000) == 123]
    for seed in range(50):
        indices, weights = sample_rows(leverage_scores(rows), 10, replace=replace, rng=seed)
        assert weights[indices == 123] == [1.0]


@either
def test_as_many_as_there_are(replace):
    for n in (1, 7, 1000):
        for scores in (np.full(n, 0.1), RNG.random(n), RNG.random(n).repeat(7)[:n]):
            for n_samples in (n, 3 * n):
                indices, weights = sample_rows(scores, n_samples, replace=replace, rng=0)
                np.testing.assert_array_equal(indices, np.arange(n))
                np.testing.assert_array_equal(weights, 1.0)


@either
@pytest.mark.parametrize("large", [1e15, 1e20, 1e200])
def test_far_larger_scores_hide_none(large, replace):
    scores = np.r_[large, np.ones(1000)]
    indices, weights = sample_rows(scores, 10, replace=replace, rng=0)
    assert weights.sum() == pytest.approx(1001)
    assert indices[0] == 0
    assert weights[0] == 1


@either
@pytest.mark.parametrize("unit", [5e-324, 1e-310, 1e-200, 1e200, 1.7e308 / 5])
def test_scores_of_any_size(unit, replace):
    scores = np.arange(1.0, 6).repeat(5)
    found = sample_rows(scores * unit, 6, replace=replace, rng=0)
    expected = sample_rows(scores, 6, replace=replace, rng=0)
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_allclose(found[1], expected[1])


@pytest.mark.parametrize("form", [
    list, tuple, np.float32, np.int8, np.longdouble, lambda a: a[::-1][::-1],
    lambda a: np.repeat(a, 2)[::2], lambda a: a.astype(">f8"), lambda a: np.asfortranarray(a),
])  # fmt: skip
def test_layout_does_not_matter(form):
    scores = np.arange(20.0)
    given_scores = form(scores)
    kept = pickle.dumps(given_scores)
    expected = sample_rows(scores, 7, rng=0)
    for one, other in zip(sample_rows(given_scores, 7, rng=0), expected, strict=True):
        np.testing.assert_array_equal(one, other)
    assert pickle.dumps(given_scores) == kept


def test_read_only_scores():
    scores = leverage_scores(A)
    scores.flags.writeable = False
    assert len(sample_rows(scores, 7, rng=0)[0]) <= 7


@either
def test_seeds(replace):
    scores = np.ones(1000)
    one, same, other = (sample_rows(scores, 9, replace=replace, rng=r)[0] for r in (0, 0, 1))
    np.testing.assert_array_equal(one, same)
    assert np.any(one != other)
    rng = np.random.RandomState(0)
    assert np.any(sample_rows(scores, 9, rng=rng)[0][:5] != sample_rows(scores, 9, rng=rng)[0][:5])
