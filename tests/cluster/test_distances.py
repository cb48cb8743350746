import numpy as np
import pytest
from scipy import sparse
from sklearn.metrics import pairwise_distances as sklearn_distances

from lowrank_la._kernels.distances import METRICS
from lowrank_la.cluster import pairwise_distances
from lowrank_la.cluster._distances import nearest_rows
from tests.layouts import sparse_forms

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(30, 4)), RNG.normal(size=(12, 4))


@pytest.mark.parametrize(
    "metric", [*METRICS, "manhattan", "l1", "l2", "correlation", "nan_euclidean"]
)
def test_same_as_scikit_learn(metric):
    for other in (None, Y):
        expected = sklearn_distances(X, other, metric)
        found = pairwise_distances(X, other, metric)
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("metric", METRICS)
def test_precision_of_the_data(metric):
    single, double = X.astype(np.float32), X
    for one, other, dtype in [
        (single, None, np.float32),
        (single, single[:3], np.float32),
        (single, double, np.float64),
        (double, None, np.float64),
        (single.astype(int), None, np.float64),
    ]:
        assert pairwise_distances(one, other, metric).dtype == dtype


@pytest.mark.parametrize("metric", ["euclidean", "cityblock", "cosine"])
def test_sparse(metric):
    data = X * (X > 0)
    expected = pairwise_distances(data, metric=metric)
    for name, form in sparse_forms(data).items():
        found = pairwise_distances(form, metric=metric)
        np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-7, err_msg=name)


def test_parameters_of_a_metric():
    found = pairwise_distances(X, Y, "minkowski", p=3)
    expected = (np.abs(X[:, None] - Y) ** 3).sum(axis=2) ** (1 / 3)
    np.testing.assert_allclose(found, expected)


def test_functions_of_anything():
    words, others = ["a", "bcd", "ef"], ["", "xyz"]

    def lengths(one, other, factor=1):
        return factor * abs(len(one) - len(other))

    assert pairwise_distances(words, metric=lengths).tolist() == [[0, 2, 1], [2, 0, 1], [1, 1, 0]]
    found = pairwise_distances(words, others, lengths, factor=10)
    assert found.tolist() == [[10, 20], [30, 0], [20, 10]]


def test_a_function_is_called_for_one_of_two_pairs():
    calls = []

    def metric(one, other):
        calls.append((one[0], other[0]))
        return abs(one[0] - other[0])

    found = pairwise_distances(np.arange(5.0)[:, None], metric=metric)
    np.testing.assert_array_equal(found, np.abs(np.arange(5)[:, None] - np.arange(5)))
    assert len(set(map(frozenset, calls))) == len(calls) == 15


@pytest.mark.parametrize("metric", ["nonsense", None, 3])
def test_an_unknown_metric_is_named(metric):
    with pytest.raises((ValueError, TypeError), match="metric"):
        pairwise_distances(X, metric=metric)


def test_no_matrix_of_differences_is_made():
    """Memory is that of the result: differences of all pairs would be 3 GiB."""
    tracemalloc = pytest.importorskip("tracemalloc")
    wide = RNG.normal(size=(600, 1000)).astype(np.float32)
    for metric in METRICS:
        pairwise_distances(wide[:10], metric=metric)  # compiles
        tracemalloc.start()
        result = pairwise_distances(wide, metric=metric)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 3 * (result.nbytes + 2 * wide.nbytes), metric


def test_sparse_and_dense_mixed():
    found = pairwise_distances(sparse.csr_array(X), Y)
    np.testing.assert_allclose(found, pairwise_distances(X, Y), rtol=1e-9)


@pytest.mark.parametrize("metric", [*METRICS, "manhattan", "correlation", "minkowski"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_nearest_rows(metric, dtype):
    rows, centres = X.astype(dtype), Y.astype(dtype)
    to_all = pairwise_distances(rows.astype(float), centres.astype(float), metric)
    labels, distances = nearest_rows(rows, centres, metric)
    np.testing.assert_array_equal(labels, to_all.argmin(axis=1))
    np.testing.assert_allclose(distances, to_all.min(axis=1), rtol=1e-9, atol=1e-12)
    assert (labels.dtype, distances.dtype) == (np.int32, np.float64)


def test_nearest_rows_of_two_precisions():
    labels, distances = nearest_rows(X.astype(np.float32), Y)
    expected = nearest_rows(X.astype(np.float32).astype(float), Y)
    np.testing.assert_array_equal(labels, expected[0])
    np.testing.assert_array_equal(distances, expected[1])


def test_nearest_rows_of_anything():
    data = X * (X > 0)
    expected = nearest_rows(data, data[:5], "cityblock")
    for name, form in sparse_forms(data).items():
        if form.format == "csr":
            found = nearest_rows(form, form[:5], "cityblock")
            np.testing.assert_array_equal(found[0], expected[0], err_msg=name)
            np.testing.assert_allclose(found[1], expected[1], err_msg=name)
    words, centres = ["a", "bcd", "ef"], ["", "xyz"]
    found = nearest_rows(words, centres, lambda one, other: abs(len(one) - len(other)))
    assert [array.tolist() for array in found] == [[0, 1, 1], [1, 0, 1]]
    labels, distances = nearest_rows(pairwise_distances(X), np.array([7, 3]), "precomputed")
    expected = nearest_rows(X, X[[7, 3]])
    np.testing.assert_array_equal(labels, expected[0])
    np.testing.assert_allclose(distances, expected[1])


def test_nearest_rows_with_parameters():
    found = nearest_rows(X, Y, "minkowski", p=3)
    to_all = pairwise_distances(X, Y, "minkowski", p=3)
    np.testing.assert_array_equal(found[0], to_all.argmin(axis=1))
    np.testing.assert_allclose(found[1], to_all.min(axis=1))
