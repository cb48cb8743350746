"""Matrices of low rank, and some of their entries."""

import numpy as np
from hypothesis import strategies as st

from lowrank_la.completion._entries import arranged
from tests.strategies import dtypes, integers


def low_rank(m, n, rank, seed=0, sizes=None):
    """Matrix whose singular vectors are spread evenly; sizes are its singular values."""
    rng = np.random.default_rng(seed)
    U, V = (np.linalg.qr(rng.standard_normal((size, rank)))[0] for size in (m, n))
    sizes = np.full(rank, np.sqrt(m * n / rank)) if sizes is None else sizes
    return U * sizes @ V.T


def observed(A, share, seed=1, noise=0.0):
    """Rows, columns and values of a share of the entries, in an order at random."""
    rng = np.random.default_rng(seed)
    places = rng.choice(A.size, round(share * A.size), replace=False)
    rows, columns = np.unravel_index(places, A.shape)
    return rows, columns, A[rows, columns] + noise * rng.standard_normal(len(places))


def ratings(m, n, n_entries, seed=0, weighted=False):
    """Entries (rows, columns, values, weights) of no rank; some pairs are there twice."""
    rng = np.random.default_rng(seed)
    rows, columns = rng.integers(0, m, n_entries), rng.integers(0, n, n_entries)
    values = rng.standard_normal(n_entries)
    weights = rng.integers(0, 4, n_entries).astype(float) if weighted else np.ones(n_entries)
    return rows, columns, values, weights


def arranged_as_is(entries, shape, dtype=np.float64):
    """Both orders of entries; values are neither centred nor scaled."""
    rows, columns, values, weights = entries
    weights = None if np.all(weights == 1) else weights
    return arranged(rows, columns, values.astype(dtype), weights, shape, 0.0, 1.0)


@st.composite
def entries_of(draw, max_side=7, max_entries=30, min_weight=0):
    """Shape, and entries with small numbers; lines may be empty, and pairs there twice."""
    m, n = draw(st.integers(1, max_side)), draw(st.integers(1, max_side))
    nnz = draw(st.integers(1, max_entries))
    rows, columns = draw(integers(nnz, 0, m - 1)), draw(integers(nnz, 0, n - 1))
    values = draw(integers(nnz, -5, 5)).astype(float)
    weights = np.ones(nnz)
    if draw(st.booleans()):
        weights = draw(integers(nnz, min_weight, 3)).astype(float)
    return (m, n), (rows, columns, values, weights)


@st.composite
def half_steps(draw):
    """Shape, entries, the other factor with its bias, ridge, exponent, fit_bias, dtype."""
    (m, n), entries = draw(entries_of())
    k = draw(st.integers(1, 4))
    other = draw(integers((n, k), -3, 3)) / 2.0
    bias = draw(integers(n, -2, 2)) / 2.0
    ridge = draw(st.sampled_from([0.5, 1.0, 3.0]))
    exponent = draw(st.sampled_from([0.0, 0.5, 1.0]))
    return (m, n), entries, other, bias, ridge, exponent, draw(st.booleans()), draw(dtypes)
