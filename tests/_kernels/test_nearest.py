import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lowrank_la._kernels import nearest as module
from lowrank_la._kernels.distances import METRICS
from lowrank_la._kernels.nearest import nearest
from tests._kernels.test_distances import both_dtypes, metrics, rows
from tests.layouts import dense_forms
from tests.reference import distances as naive
from tests.strategies import dtypes

COMPARED = {np.float32: 2e-6, np.float64: 1e-12}  # relative, between distances


def assert_nearest(found, X, Y, metric):
    """Labels of the least distance up to rounding; the distances themselves as in float64."""
    labels, distances = found
    assert labels.dtype == np.int32
    assert distances.dtype == np.float64
    expected = naive.pairwise(X, Y, metric)
    atol = COMPARED[X.dtype.type] if metric == "cosine" else 1e-300
    served = expected[np.arange(len(X)), labels]
    np.testing.assert_allclose(served, expected.min(axis=1), COMPARED[X.dtype.type], atol)
    np.testing.assert_allclose(distances, served, 1e-11, 1e-12 if metric == "cosine" else 1e-300)


@metrics
@both_dtypes
@pytest.mark.parametrize(
    ("n", "k", "d"), [(1, 1, 1), (9, 1, 3), (300, 7, 5), (30, 300, 2), (40, 9, 50)]
)
def test_definition(metric, dtype, n, k, d, global_random_seed):
    X, Y = rows(n, d, global_random_seed, dtype), rows(k, d, global_random_seed + 1, dtype)
    assert_nearest(nearest(X, Y, metric, 1), X, Y, metric)


@given(st.data(), st.sampled_from(METRICS), dtypes)
def test_ties_go_to_the_lowest_label(data, metric, dtype):
    """Few values: equal rows, rows of zeros, and many ties."""
    n, k, d = (data.draw(st.integers(1, 6)) for _ in range(3))
    numbers = st.sampled_from([0, 0, 1, -1, 2])
    X = data.draw(arrays(dtype, (n, d), elements=numbers))
    Y = data.draw(arrays(dtype, (k, d), elements=numbers))
    labels, distances = nearest(X, Y, metric, 1)
    expected = naive.pairwise(X, Y, metric)
    np.testing.assert_allclose(distances, expected.min(axis=1), rtol=1e-12, atol=1e-14)
    if metric in ("cityblock", "chebyshev", "hamming", "euclidean", "sqeuclidean"):
        np.testing.assert_array_equal(labels, expected.argmin(axis=1))


@given(st.data(), st.sampled_from(METRICS), dtypes)
def test_a_guess_changes_nothing(data, metric, dtype):
    """Neither a right one nor a wrong one."""
    seed, d = data.draw(st.integers(0, 99)), data.draw(st.sampled_from([2, 40]))
    rng = np.random.default_rng(seed)
    centres = 30 * rng.normal(size=(6, d))
    X = (centres[rng.integers(6, size=80)] + rng.normal(size=(80, d))).astype(dtype)
    Y, Z = X[:5] + dtype(0.1), X[10:14]
    right = nearest(X, Z, metric, 1)[0]
    for labels in (right, rng.integers(4, size=80).astype(np.int32)):
        found, expected = nearest(X, Y, metric, 1, (Z, labels)), nearest(X, Y, metric, 1)
        np.testing.assert_array_equal(found[0], expected[0])
        np.testing.assert_allclose(found[1], expected[1], rtol=1e-10)


@pytest.mark.parametrize("metric", ["euclidean", "cityblock", "chebyshev"])
def test_a_right_guess_saves_looking_at_all(metric, monkeypatch):
    rng = np.random.default_rng(0)
    X = (1000 * np.repeat(rng.normal(size=(5, 3)), 100, axis=0)) + rng.normal(size=(500, 3))
    looked_at = []
    settle = module._settle
    monkeypatch.setattr(
        module, "_settle", lambda rows, *args: looked_at.append(len(rows)) or settle(rows, *args)
    )
    known = X[::100] + 1, nearest(X, X[::100] + 1, metric, 1)[0]
    looked_at.clear()
    nearest(X, X[::100], metric, 1, known)
    assert sum(looked_at) <= 5 + 5  # the known rows, and those at distance zero


@metrics
@both_dtypes
@pytest.mark.parametrize("exponent", [0.8, -0.8])
@pytest.mark.parametrize("d", [3, 40])
def test_scale(metric, dtype, exponent, d):
    """Near the ends of the range of numbers, where squares overflow or vanish."""
    X, Y = rows(40, d, dtype=dtype), rows(6, d, 1, dtype)
    degree = {"sqeuclidean": 2, "canberra": 0, "hamming": 0, "cosine": 0}.get(metric, 1)
    power = int(exponent / max(degree, 1) * np.finfo(dtype).maxexp)
    labels, distances = nearest(X * dtype(2) ** power, Y * dtype(2) ** power, metric, 1)
    expected = nearest(X, Y, metric, 1)
    np.testing.assert_array_equal(labels, expected[0])
    found = np.ldexp(distances, -degree * power)
    np.testing.assert_allclose(found, expected[1], rtol=1e-12, atol=1e-15)


def test_a_guess_at_the_ends_of_the_range():
    X = rows(40, 3) * 1e-200
    expected = nearest(X, X[:4], "euclidean", 1)
    found = nearest(X, X[:4], "euclidean", 1, (X[:4], np.zeros(40, np.int32)))
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_allclose(found[1], expected[1], rtol=1e-12)


@metrics
@pytest.mark.parametrize("d", [9, 40])
def test_any_number_of_threads_gives_the_same_bits(metric, d):
    X, Y = rows(20_000, d, dtype=np.float32), rows(130, d, 1, np.float32)
    known = Y[:9], nearest(X, Y[:9], metric, 1)[0]
    for hint in (None, known):
        results = [nearest(X, Y, metric, n_threads, hint) for n_threads in (1, 2, 3)]
        for other in results[1:]:
            np.testing.assert_array_equal(other[0], results[0][0])
            np.testing.assert_array_equal(other[1], results[0][1])


@both_dtypes
def test_any_layout(dtype, tmp_path):
    X, Y = rows(20, 3, dtype=dtype), rows(4, 3, 1, dtype)
    expected = nearest(X, Y, "euclidean", 1)
    for name, form in dense_forms(X, tmp_path).items():
        if form.dtype.isnative:
            found = nearest(form, Y, "euclidean", 1)
            np.testing.assert_array_equal(found[0], expected[0], err_msg=name)
            np.testing.assert_array_equal(found[1], expected[1], err_msg=name)


def test_the_matrix_of_distances_is_never_there():
    tracemalloc = pytest.importorskip("tracemalloc")
    X, Y = rows(60_000, 3, dtype=np.float32), rows(400, 3, 1, np.float32)
    nearest(X[:10], Y, "euclidean", 1)  # compiles
    tracemalloc.start()
    nearest(X, Y, "euclidean", 1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < X.shape[0] * Y.shape[0] * 4 / 4
