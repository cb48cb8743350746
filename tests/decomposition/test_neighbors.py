"""The solver: estimates against their definition, anchors against pivoted QR, search by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import qr

from lowrank_la.decomposition._neighbors import ItemFactors, Search, factorized
from tests.reference import cur_neighbors as reference

close = np.testing.assert_allclose
seeds = st.integers(0, 2**32 - 1)


def decaying(rng, m, n, power=1.0):
    """An (m, n) matrix whose singular values decay."""
    rank = min(m, n)
    scales = np.arange(1.0, rank + 1) ** -power
    return (rng.normal(size=(m, rank)) * scales) @ rng.normal(size=(rank, n)) + 0.5


@given(seeds, st.integers(2, 15), st.integers(16, 40))
def test_noise_is_what_the_others_leave_unexplained(seed, m, n):
    R = decaying(np.random.default_rng(seed), m, n)
    close(factorized(R.copy()).noise, reference.noise(R), rtol=1e-6)


@given(seeds, st.integers(2, 12), st.integers(14, 40), st.integers(1, 14))
def test_estimates_are_conditional_means(seed, m, n, n_known):
    """With fewer items known than the rank, and with more."""
    rng = np.random.default_rng(seed)
    R = decaying(rng, m, n)
    factors = factorized(R.copy())
    items = np.stack([rng.choice(n, n_known, replace=False) for _ in range(3)])
    values = rng.normal(size=items.shape)
    found = factors.estimates(items, values)
    for row in range(3):
        known = items[row], values[row] / np.abs(values[row]).max()
        expected = reference.conditional_means(R, *known, factors.noise)
        close(found[row], expected, rtol=1e-7, atol=1e-9)


@given(seeds, st.integers(3, 12), st.integers(14, 40))
def test_estimates_without_noise_are_those_of_cur(seed, m, n):
    rng = np.random.default_rng(seed)
    R = decaying(rng, m, n, power=0.5)
    R = reference.normalized(R)
    items = rng.choice(n, m - 1, replace=False)
    values = rng.normal(size=m - 1)
    values /= np.abs(values).max()
    factors = ItemFactors(factorized(R.copy()).vectors, 1e-13)
    expected = reference.cur_estimates(R, items, values)
    condition = np.linalg.cond(R[:, items])
    found = factors.estimates(items[None], values[None])[0]
    close(found, expected, atol=1e-11 * condition**2 * np.abs(expected).max())


@given(seeds, st.integers(1, 12), st.integers(12, 40))
def test_anchors_are_pivots(seed, m, n):
    R = decaying(np.random.default_rng(seed), m, n)
    expected = qr(reference.normalized(R), mode="r", pivoting=True)[1][:m]
    np.testing.assert_array_equal(factorized(R).spread(m), expected)


@given(seeds, st.integers(1, 5), st.integers(6, 12))
def test_there_are_no_more_anchors_than_the_rank(seed, rank, n):
    rng = np.random.default_rng(seed)
    R = rng.normal(size=(20, rank)) @ rng.normal(size=(rank, n))
    chosen = factorized(R).spread(n)
    assert len(set(chosen)) == len(chosen) == rank


@pytest.mark.parametrize("R", [np.zeros((4, 6)), np.eye(4, 6) * 0 + [[0], [0], [0], [1]]])
def test_no_rank_and_little(R):
    factors = factorized(R.copy())
    assert len(factors.spread(3)) == 1
    estimates = factors.estimates(np.array([[0, 1]]), np.array([[2.0, 2.0]]))
    assert np.isfinite(estimates).all() and np.ptp(estimates) < 1e-12


@given(seeds, st.sampled_from([1e-300, 1e-150, 1e150, 1e300]))
def test_units_of_queries_do_not_matter(seed, unit):
    rng = np.random.default_rng(seed)
    R = rng.normal(size=(5, 9))
    scaled = R * np.where(rng.random((5, 1)) < 0.5, unit, 1.0)
    one, other = factorized(R), factorized(scaled)
    close(other.vectors @ other.vectors.T, one.vectors @ one.vectors.T, atol=1e-12)
    close(other.noise, one.noise, rtol=1e-6)
    items, values = np.arange(4)[None], rng.normal(size=(1, 4))
    found = [
        factors.estimates(items, scale * values) for factors, scale in [(one, 1), (other, unit)]
    ]
    close(*found, rtol=1e-6, atol=1e-6)


@given(seeds, st.integers(1, 8), st.integers(1, 8), st.integers(8, 20))
def test_search_by_hand(seed, n_anchors, step, budget):
    rng = np.random.default_rng(seed)
    similarities = decaying(rng, 16, 40)
    R, S = similarities[:12], similarities[12:]
    factors = factorized(R.copy())
    search = Search(factors, factors.spread(n_anchors), budget, step)
    values, items = search.nearest(lambda q, i: S[np.ix_(q, i)], len(S), 5)
    np.testing.assert_array_equal(values, np.take_along_axis(S, items, axis=1))
    for row, found in zip(S, items, strict=True):
        expected = reference.search(row, R, 5, n_anchors, budget, step)
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("own", [False, True])
def test_batches_of_queries(own, monkeypatch):
    """Whether queries come one by one or together, the same is found."""
    rng = np.random.default_rng(0)
    S = decaying(rng, 60, 60)
    factors = factorized(S[::2].copy())
    search = Search(factors, factors.spread(4), 12, 4)
    found, sizes = [], []

    def evaluate(queries, items):
        sizes.append(len(queries))
        return S[np.ix_(queries, items)]

    for at_once, most in [(1, 1), (1500, 4), (10**6, 60)]:  # a query takes 12 * 30 numbers
        monkeypatch.setattr("lowrank_la.decomposition._neighbors._AT_ONCE", at_once)
        found.append(search.nearest(evaluate, 60, 6, own))
        assert max(sizes) == most
    for values, items in found[1:]:
        np.testing.assert_array_equal(values, found[0][0])
        np.testing.assert_array_equal(items, found[0][1])
    assert own != (found[0][1] == np.arange(60)[:, None]).any()
