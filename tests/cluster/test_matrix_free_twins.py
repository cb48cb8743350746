"""The CUDA twins of the matrix-free search do what the CPU's kernels do."""

import numpy as np
import pytest

from lowrank_la.cluster import _matrix_free_cpu, _matrix_free_cuda
from lowrank_la.cluster._matrix_free import METRICS, _Search, matrix_free
from lowrank_la.cluster._search import Run

pytestmark = pytest.mark.usefixtures("launches")


def problem(n, d, k, dtype, seed=0):
    """Integer points of which two are equal, initial medoids, weights."""
    rng = np.random.default_rng(seed)
    X, weights = rng.integers(0, 30, (n, d)).astype(dtype), rng.integers(0, 4, n).astype(float)
    X[1], weights[:k] = X[0], 1
    return X, np.arange(k), weights


def both(X, start, weights, metric, fixed=0):
    number = METRICS.index(metric)
    return [
        _Search(X, start, weights, number, np.random.default_rng(0), device, fixed)
        for device in ("cpu", "cuda")
    ]


def assert_same(one, other):
    host = _matrix_free_cuda.to_host
    for name in ("medoids", "centres", "runner_up", "largest", "removal", "loss"):
        found, expected = host(getattr(other, name)), getattr(one, name)
        np.testing.assert_allclose(found, expected, rtol=1e-6, err_msg=name)
    for expected, found in zip(one.state, other.state, strict=True):
        np.testing.assert_allclose(host(found), expected, rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("n", "d", "k", "metric"),
    [*[(20, 2, 3, metric) for metric in METRICS], (67, 3, 4, "euclidean"), (11, 1, 1, "cityblock")],
)
def test_one_round(n, d, k, metric, dtype, launches):
    one, other = both(*problem(n, d, k, dtype, seed=n), metric)
    np.testing.assert_allclose(_matrix_free_cuda.to_host(other.state[0]), one.state[0], rtol=1e-6)
    assert one.go_on(0, 0)[2] == other.go_on(0, 0)[2] > 0
    assert one.loss == pytest.approx(other.loss, rel=1e-6)
    np.testing.assert_array_equal(_matrix_free_cuda.to_host(other.medoids), one.medoids)
    for search in (one, other):
        search.add_up()
    np.testing.assert_allclose(
        _matrix_free_cuda.to_host(other.removal), one.removal, rtol=1e-5, atol=1e-9
    )
    assert {"_assign", "_removal_loss", "_tally", "_swap"} <= launches


def test_state_without_ties():
    rng = np.random.default_rng(0)
    arguments = rng.normal(size=(70, 2)), np.arange(5), np.ones(70)
    one, other = both(*arguments, "euclidean", fixed=2)
    assert_same(one, other)
    assert one.go_on(0, 0)[1:] == other.go_on(0, 0)[1:]
    for search in (one, other):
        search.add_up()
    assert_same(one, other)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(("n", "k", "fixed"), [(14, 1, 0), (20, 4, 1), (9, 9, 0), (9, 3, 3)])
def test_whole_searches(n, k, fixed, metric):
    X, start, weights = problem(n, 2, k, np.float64)
    one, other = (
        matrix_free(X, start, weights, metric, np.random.default_rng(0), Run(100), device, fixed)
        for device in ("cpu", "cuda")
    )
    np.testing.assert_array_equal(other.medoids, one.medoids)
    assert (other.n_swap, other.n_iter, other.converged) == (one.n_swap, one.n_iter, True)
    assert other.loss == pytest.approx(one.loss, rel=1e-12)
    np.testing.assert_allclose(other.history, one.history, rtol=1e-9)
    assert isinstance(other.labels, np.ndarray)
    assert other.share > 0


def test_same_names():
    for name in ("assign", "eager_swaps", "removal_loss", "to_device", "to_host", "xp", "empty"):
        assert hasattr(_matrix_free_cpu, name)
        assert name in _matrix_free_cuda.__all__
