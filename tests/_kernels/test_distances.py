import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lowrank_la._kernels.distances import METRICS, pairwise
from tests.reference import distances as naive
from tests.strategies import dtypes

TOLERANCE = {np.float32: 1e-6, np.float64: 1e-12}
metrics = pytest.mark.parametrize("metric", METRICS)
both_dtypes = pytest.mark.parametrize("dtype", TOLERANCE)


def rows(n, d, seed=0, dtype=np.float64):
    return np.random.default_rng(seed).normal(size=(n, d)).astype(dtype)


def test_every_metric_has_a_definition():
    assert set(METRICS) == set(naive.METRICS)


def assert_close(found, X, Y, metric):
    """Relative error at most 1e-6 in float32.

    Cosine distances of close directions lose what rounding the unit vectors loses.
    """
    expected, rtol = naive.pairwise(X, Y, metric), TOLERANCE[X.dtype.type]
    lost = rtol / 4 * np.sqrt(expected) if metric == "cosine" else 0
    error = np.abs(found - expected)
    assert found.dtype == X.dtype
    assert np.all(error <= rtol * expected + lost), (error / expected).max()


@given(st.data(), st.sampled_from(METRICS), dtypes)
def test_definition_on_few_values(data, metric, dtype):
    """Many zeros, equal rows and rows of zeros."""
    n, m, d = (data.draw(st.integers(1, 6)) for _ in range(3))
    numbers = st.sampled_from([0, 0, 1, -1, 3])
    X = data.draw(arrays(dtype, (n, d), elements=numbers))
    Y = data.draw(arrays(dtype, (m, d), elements=numbers))
    atol = TOLERANCE[dtype] / 10
    expected = naive.pairwise(X, Y, metric)
    np.testing.assert_allclose(pairwise(X, Y, metric, 1), expected, rtol=10 * atol, atol=atol)
    expected = naive.pairwise(X, X, metric)
    np.fill_diagonal(expected, 0)  # a row of zeros is its own direction
    np.testing.assert_allclose(pairwise(X, None, metric, 1), expected, rtol=10 * atol, atol=atol)


@metrics
@both_dtypes
@pytest.mark.parametrize(("n", "m", "d"), [(1, 1, 1), (33, 65, 3), (7, 70, 17), (2, 5, 1030)])
def test_definition_across_tiles(metric, dtype, n, m, d, global_random_seed):
    X, Y = rows(n, d, global_random_seed, dtype), rows(m, d, global_random_seed + 1, dtype)
    assert_close(pairwise(X, Y, metric, 1), X, Y, metric)


@metrics
@both_dtypes
@pytest.mark.parametrize("n", [1, 3, 31, 64, 97, 600])
def test_symmetric_with_zeros_on_the_diagonal(metric, dtype, n):
    X = rows(n, 5, dtype=dtype)
    found = pairwise(X, None, metric, 1)
    np.testing.assert_array_equal(found, found.T)
    np.testing.assert_array_equal(found.diagonal(), 0)
    np.testing.assert_allclose(found, pairwise(X, X.copy(), metric, 1), rtol=TOLERANCE[dtype],
                               atol=TOLERANCE[dtype] * 1e-2)  # fmt: skip


@metrics
@both_dtypes
@pytest.mark.parametrize("closeness", [1e-1, 1e-3, 1e-6])
def test_close_rows_lose_no_digits(metric, dtype, closeness, global_random_seed):
    X = rows(20, 50, global_random_seed) + 100 * rows(1, 50, global_random_seed + 1)
    Y = (X + closeness * rows(20, 50, 2)).astype(dtype)
    assert_close(pairwise(X.astype(dtype), Y, metric, 1), X.astype(dtype), Y, metric)


@metrics
@both_dtypes
@pytest.mark.parametrize("exponent", [0.9, -0.9])
def test_scale(metric, dtype, exponent):
    """Near the ends of the range of numbers, where squares overflow or vanish."""
    X = rows(12, 4, dtype=dtype)
    degree = {"sqeuclidean": 2, "canberra": 0, "hamming": 0, "cosine": 0}.get(metric, 1)
    if degree == 2:
        exponent /= 2
    scale = dtype(2) ** int(exponent * np.finfo(dtype).maxexp)
    found, expected = pairwise(X * scale, None, metric, 1), pairwise(X, None, metric, 1)
    np.testing.assert_allclose(found / scale**degree, expected, rtol=4 * TOLERANCE[dtype])


@metrics
def test_any_number_of_threads_gives_the_same_bits(metric):
    X, Y = rows(700, 9), rows(130, 9, 1)
    for other in (None, Y):
        results = [pairwise(X, other, metric, n_threads) for n_threads in (1, 2, 3)]
        np.testing.assert_array_equal(results[1], results[0])
        np.testing.assert_array_equal(results[2], results[0])


@metrics
@both_dtypes
def test_metric_axioms(metric, dtype, global_random_seed):
    found = pairwise(rows(40, 6, global_random_seed, dtype), None, metric, 1).astype(np.float64)
    assert np.all(found >= 0)
    if metric not in ("sqeuclidean", "cosine"):
        detours = (found[:, :, None] + found[None]).min(axis=1)
        assert np.all(found <= detours * (1 + 1e-6))


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_products_across_blocks(metric):
    """More rows than go into one matrix product."""
    X = rows(1100, 3)
    found = pairwise(X, None, metric, 1)
    for i in (0, 511, 512, 1023, 1024, 1099):
        expected = naive.pairwise(X[[i]], X, metric)[0]
        np.testing.assert_allclose(found[i], expected, rtol=1e-9, atol=1e-15)
