"""Rows of a few features, whose distances are computed for many rows at once."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lowrank_la._kernels import distances, narrow
from tests._kernels.test_distances import TOLERANCE, assert_close, both_dtypes, metrics, rows
from tests.layouts import dense_forms
from tests.reference import distances as naive
from tests.strategies import dtypes

MOST = narrow.MOST_FEATURES


@metrics
@both_dtypes
@pytest.mark.parametrize("d", [1, 3, 4, 6, 15, MOST - 1, MOST, MOST + 1])
def test_definition_at_every_width(metric, dtype, d, global_random_seed):
    X, Y = rows(5, d, global_random_seed, dtype), rows(9, d, global_random_seed + 1, dtype)
    assert_close(distances.pairwise(X, Y, metric, 1), X, Y, metric)


@pytest.mark.parametrize(
    ("n", "m"), [(1, 1), (40, 255), (3, 257), (300, 127), (127, 300), (2, 600)]
)
def test_tiles_and_what_is_left_over(n, m, global_random_seed):
    """Either matrix may fill the lanes."""
    X, Y = rows(n, 3, global_random_seed), rows(m, 3, global_random_seed + 1)
    found = distances.pairwise(X, Y, "cityblock", 1)
    np.testing.assert_allclose(found, naive.pairwise(X, Y, "cityblock"), rtol=1e-12)
    assert found.flags.c_contiguous
    np.testing.assert_array_equal(found, distances.pairwise(Y, X, "cityblock", 1).T)


@given(st.data(), st.sampled_from(["euclidean", "sqeuclidean"]), dtypes)
def test_any_mixture_of_magnitudes(data, metric, dtype):
    """Small numbers beside large ones, whose squares vanish or overflow."""
    n, d = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 4))
    limit = np.finfo(dtype).maxexp // (2 if metric == "euclidean" else 4)
    sizes = st.integers(-limit, limit).map(lambda power: dtype(2) ** power)
    entries = st.one_of(st.just(0), sizes, sizes.map(lambda size: -3 * size))
    X = np.array([[data.draw(entries) for _ in range(d)] for _ in range(n)], dtype)
    found = distances.pairwise(X, None, metric, 1)
    assert np.isfinite(found).all()
    np.testing.assert_array_equal(found, found.T)
    largest = np.abs(X).max()
    if largest > 0:
        assert_reasonable(found, X, metric, largest)


def assert_reasonable(found, X, metric, largest):
    """Exact, unless the square is below the range of float64 beside the largest entry's."""
    vanishing = np.float64(largest) * 2.0**-500
    tiny = np.finfo(found.dtype).smallest_normal
    atol = max(tiny, vanishing if metric == "euclidean" else vanishing**2)
    expected = naive.pairwise(X, X, metric)
    np.testing.assert_allclose(found, expected, rtol=TOLERANCE[X.dtype.type], atol=atol)


@both_dtypes
def test_equal_rows_are_at_distance_zero(dtype):
    X = np.repeat(rows(5, 3, dtype=dtype), 3, axis=0) + dtype(1000)
    for metric in ("euclidean", "cityblock"):
        found = distances.pairwise(X, X.copy(), metric, 1)
        np.testing.assert_array_equal(found == 0, np.kron(np.eye(5), np.ones((3, 3))) > 0)


@both_dtypes
def test_any_layout(dtype, tmp_path):
    X, Y = rows(20, 3, dtype=dtype), rows(7, 3, 1, dtype)
    expected = distances.pairwise(X, Y, "euclidean", 1)
    for name, form in dense_forms(X, tmp_path).items():
        if form.dtype.isnative:
            found = distances.pairwise(form, Y, "euclidean", 1)
            np.testing.assert_array_equal(found, expected, err_msg=name)


def test_rows_of_any_block_have_the_same_bits():
    """Callers may ask for a matrix in blocks of rows."""
    X, Y = rows(100, 3, dtype=np.float32), rows(300, 3, 1, np.float32)
    whole = distances.pairwise(X, Y, "euclidean", 1)
    for lo, hi in [(0, 1), (1, 60), (60, 100)]:
        np.testing.assert_array_equal(distances.pairwise(X[lo:hi], Y, "euclidean", 1), whole[lo:hi])


@metrics
def test_given_memory(metric):
    X, Y = rows(30, 3), rows(200, 3, 1)
    memory = np.full((30, 200), np.nan)
    found = distances.pairwise(X, Y, metric, 1, out=memory)
    np.testing.assert_array_equal(found, distances.pairwise(X, Y, metric, 1))
    assert metric == "cosine" or found is memory
