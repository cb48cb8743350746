"""Moments and maps of tall arrays: right, and the same bits on any number of threads."""

import numpy as np
import pytest

from lowrank_la._kernels.gram import mapped, mapped_by_triangle, moments


@pytest.mark.parametrize("n", [1, 3, 2048, 5000, 40_000])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_moments_and_maps(n, dtype):
    rng = np.random.default_rng(0)
    X = (rng.normal(size=(n, 7)) + 3).astype(dtype)
    mean, gram = moments(X, 1)
    rtol = 1e-4 if dtype == np.float32 else 1e-9
    centred = X.astype(np.float64) - X.mean(axis=0, dtype=np.float64)
    np.testing.assert_allclose(mean, X.mean(axis=0, dtype=np.float64), rtol=1e-5)
    np.testing.assert_allclose(gram, centred.T @ centred, rtol=rtol, atol=rtol * n)
    matrix = rng.normal(size=(7, 3))
    found = mapped(X, mean, matrix, 1)
    assert found.dtype == dtype
    np.testing.assert_allclose(found, centred @ matrix, rtol=rtol, atol=1e-4)
    for n_threads in (2, 3):
        for one, other in zip(moments(X, n_threads), (mean, gram), strict=True):
            np.testing.assert_array_equal(one, other)
        np.testing.assert_array_equal(mapped(X, mean, matrix, n_threads), found)


@pytest.mark.parametrize("n", [1, 3, 5000, 40_000])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_maps_by_triangles(n, dtype):
    rng = np.random.default_rng(0)
    X, mean = (rng.normal(size=(n, 7)) + 3).astype(dtype), np.linspace(1, 2, 7).astype(dtype)
    lower = np.tril(rng.normal(size=(7, 7)))
    expected = mapped(X, mean, lower.T, 1)
    results = []
    for n_threads in (1, 2, 3):
        given = X.copy()
        results.append(mapped_by_triangle(given, mean, lower, n_threads))
        assert results[-1] is given
    np.testing.assert_allclose(results[0], expected, rtol=1e-4, atol=1e-5)
    for other in results[1:]:
        np.testing.assert_array_equal(results[0], other)
