"""What the docstrings promise: embeddings, their sizes, and entry-wise errors."""

import numpy as np
import pytest
from scipy.stats import t

from lowrank_la.sketch import SRHT, CountSketch, Gaussian, SparseSign
from tests.sketch.problems import KINDS, coherent

EMBEDDINGS = (Gaussian, SRHT, SparseSign)
D = 12


def worst_entry(A, Q, inverse, spikes, S, rng):
    """|x' - x|_inf sqrt(d) / (|r| |A^+|) where the residual lies on a few rows."""
    n, d = A.shape
    r = np.zeros(n)
    r[rng.choice(n, spikes, replace=False)] = rng.normal(size=spikes)
    r -= Q @ (Q.T @ r)
    sketched = S @ np.c_[A, r]
    error = np.linalg.lstsq(sketched[:, :d], sketched[:, d])[0]  # x, of the whole problem, is zero
    return np.abs(error).max() * np.sqrt(d) / np.linalg.norm(r) / inverse


def spike(rng, n=8192, d=64):
    """Some rows of the identity, above small noise; a basis, and the norm of the pseudo-inverse."""
    A = 1e-3 * rng.normal(size=(n, d))
    A[np.arange(d) * (n // d), np.arange(d)] += 1
    Q, R = np.linalg.qr(A)
    return A, Q, 1 / np.linalg.svdvals(R).min()


def unbiased(kind, m, n, n_seeds):
    total = np.zeros((n, n))
    for seed in range(n_seeds):
        E = kind(m, n, random_state=seed) @ np.eye(n)
        total += E.T @ E
    return total / n_seeds


@pytest.mark.parametrize("kind", KINDS)
def test_unbiased(kind):
    """The mean of S^T S is the identity: five standard deviations of each entry."""
    m, n, n_seeds = 16, 20, 400
    deviations = np.abs(unbiased(kind, m, n, n_seeds) - np.eye(n)) * np.sqrt(n_seeds * m)
    bound = 5 * np.sqrt(2) if kind is Gaussian else 5
    assert deviations.max() < bound


@pytest.mark.parametrize("flat", [True, False], ids=["incoherent", "coherent"])
@pytest.mark.parametrize("kind", EMBEDDINGS)
def test_subspace_embedding(kind, flat, global_random_seed):
    """With the size of a guarantee on the singular values."""
    rng, eps = np.random.default_rng(global_random_seed), 0.5
    n, m = 5000, SparseSign.size(D, eps, 0.001)
    Q = np.linalg.qr(rng.normal(size=(n, D)))[0] if flat else coherent(n, D, rng)
    for seed in range(10):
        values = np.linalg.svdvals(kind(m, n, random_state=rng) @ Q)
        assert 1 - eps < values.min() <= values.max() < 1 + eps, seed


def test_subspace_embedding_of_count_sketch(global_random_seed):
    rng, eps, delta = np.random.default_rng(global_random_seed), 0.5, 0.1
    m, failures = CountSketch.size(D, eps, delta), 0
    for _ in range(20):
        Q = coherent(5000, D, rng)
        squares = np.linalg.svdvals(CountSketch(m, 5000, random_state=rng) @ Q) ** 2
        failures += not (1 - eps < squares.min() <= squares.max() < 1 + eps)
    assert failures <= 6  # two expected at most; six, once in two hundred runs


def test_gaussian_size_is_enough():
    """By the law of the error: Student's, for each of the d entries."""
    for d in (1, 2, 5, 64, 1000, 30000):
        for eps in (0.1, 0.5, 0.99):
            for delta in (1e-6, 0.01, 0.3):
                m = Gaussian.size(d, eps, delta)
                freedom = m - d + 1
                assert 2 * d * t.sf(eps * np.sqrt(freedom / d), freedom) <= delta
                assert m < 3 * d + 2 * d / eps**2 * np.log(2 * d / delta) * 1.6, "nor far too much"
                assert SRHT.size(d, eps, delta) == m


def test_sizes():
    assert SparseSign.size(100) == pytest.approx((10 + np.sqrt(2 * np.log(200))) ** 2 * 4, abs=1)
    assert CountSketch.size(10, eps=0.5, delta=0.1) == 4400
    for kind in KINDS:
        assert isinstance(kind.size(3), int)
        assert kind.size(30) > kind.size(3)
        assert kind.size(30, eps=0.1) > kind.size(30)
        assert kind.size(30, delta=0.001) > kind.size(30)


@pytest.mark.parametrize("kind", [Gaussian, SRHT])
def test_entry_wise_guarantee(kind, global_random_seed):
    """At the size that promises it, on the problem that breaks sparse sketches."""
    rng, d, eps, delta = np.random.default_rng(global_random_seed), 8, 0.5, 0.05
    problem, m = spike(rng, 4096, d), kind.size(d, eps, delta)
    worst = [
        worst_entry(*problem, spikes, kind(m, 4096, random_state=rng), rng)
        for spikes in [1, 12] * 20
    ]
    assert np.mean(np.array(worst) > eps) <= delta
    assert max(worst) > eps / 4, "the size is of the right order"


@pytest.mark.parametrize("spikes", [1, 12])
def test_entry_wise_error_where_sparse_sketches_fail(spikes):
    """Twelve rows to a column: SRHT holds, CountSketch loses whole entries."""
    worst = {}
    for kind in (SRHT, CountSketch):
        rng = np.random.default_rng(0)
        problem = spike(rng)
        worst[kind] = [
            worst_entry(*problem, spikes, kind(12 * 64, 8192, random_state=seed), rng)
            for seed in range(30)
        ]
    assert np.quantile(worst[SRHT], 0.95) <= 1.2
    assert np.quantile(worst[CountSketch], 0.95) >= 1.8 * np.quantile(worst[SRHT], 0.95)
