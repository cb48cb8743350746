"""Sums of named rows: the vector code does what its scalar definition says."""

import numpy as np
import pytest

from lowrank_la._kernels import csr


def problem(n, d, dtype, index, m=700, seed=0):
    rng = np.random.default_rng(seed)
    rows = rng.integers(-100, 100, (n, d)).astype(dtype)
    units = rng.random(n if dtype == np.int8 else 0).astype(np.float32)
    return rows, units, rng.integers(0, n, m).astype(index), rng.random(m).astype(np.float32)


@pytest.mark.parametrize("index", [np.int32, np.int64])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int8])
@pytest.mark.parametrize("d", [32, 64, 128, 160, 288])
@pytest.mark.parametrize("weighted", [False, True])
def test_sum_rows(d, dtype, index, weighted):
    rows, units, indices, weights = problem(50, d, dtype, index)
    weights = weights if weighted else weights[:0]
    out = np.full(d, np.nan, np.float64 if dtype == np.float64 else np.float32)
    totals = np.full(d, np.nan)
    dense = rows * np.float64(units[:, None] if dtype == np.int8 else 1)
    for start, stop in [(0, 700), (0, 0), (5, 6), (690, 700), (3, 520)]:
        args = np.uint64(start), np.uint64(stop), out, totals
        csr.sum_rows(rows, units, indices, weights, *args)
        factors = np.float64(weights[start:stop, None] if weighted else 1)
        expected = (factors * dense[indices[start:stop]]).sum(axis=0)
        np.testing.assert_allclose(out, expected, rtol=1e-5, atol=0.02)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int8])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_definition(dtype, weighted):
    """What runs where nothing is compiled."""
    rows, units, indices, weights = problem(20, 64, dtype, np.int32, m=30)
    out = np.zeros(64, np.float64 if dtype == np.float64 else np.float32)
    found = csr._scalar_sum(csr.NARROW, weighted)
    found(rows, units, indices, weights, 2, 30, np.uint64(32), out)
    expected, totals = out.copy(), np.zeros(64)
    given = weights if weighted else weights[:0]
    csr.sum_rows(rows, units, indices, given, np.uint64(2), np.uint64(30), expected, totals)
    np.testing.assert_allclose(out[32:], expected[32:], rtol=1e-5)
    assert not out[:32].any()
